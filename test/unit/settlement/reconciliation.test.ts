import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { Reconciliation } from '../../../src/settlement/reconciliation.ts'
import { addToTotal } from '../../../src/settlement/settlement-totals.ts'
import { SettlementRig, TestBooks } from './settlement-rig.ts'

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount
let reconciliation: Reconciliation
let metric: bigint | undefined
let unchecked: number | undefined

beforeEach(async () => {
  metric = undefined
  books = await TestBooks.open()
  rig = new SettlementRig(books, { name: books.unique('node'), engineScale: 6 })
  account = await books.account(9, 5_000_000n)
  await rig.start([{ account, terms: { threshold: 1_000_000n, settleTo: 0n } }])
  reconciliation = new Reconciliation(
    { confirmMs: 1, pendingIsHeld: true },
    {
      journal: rig.journal,
      ledger: rig.ledger,
      accounts: () => rig.coordinator.settledAccounts,
      engine: (name) => rig.coordinator.engine(name),
      clock: rig.clock,
      logger: silentLogger,
      alarms: rig.alarms,
      unchecked: (_, count) => {
        unchecked = count
      },
      difference: (_engine, _token, amount) => {
        metric = amount
      },
    },
  )
})

afterEach(async () => {
  reconciliation.stop()
  await rig.stop()
  await books.close()
})

async function credit(amount: bigint, accountId: string | undefined): Promise<void> {
  const id = books.unique('credit')
  rig.engine.payIn({
    id,
    accountId,
    assetCode: 'XRP',
    quantity: { amount, scale: 9 },
    sender: undefined,
  })
  await rig.engine.tellAll()
}

describe('reconciliation', () => {
  it('finds nothing when everything agrees, with money under way', async () => {
    await credit(777n, account.id)
    await credit(88n, undefined)
    expect(await reconciliation.check()).toMatchObject({ accountsChecked: 1, discrepancies: [] })
    await rig.engine.carryOut()
    await rig.run()
    await books.owe(account, 3_000_000n)
    rig.coordinator.balanceChanged(account.id)
    await rig.run()
    expect(await reconciliation.check()).toMatchObject({ discrepancies: [], unchecked: [] })
    expect(metric).toBe(0n)
    expect(rig.alarms.counts.difference).toBe(0)
  })

  it('finds an amount held that the journal does not know', async () => {
    await books.owe(account, 40n)
    await rig.ledger.holdSettlement({ id: 'planted', account, engine: 'scripted', amount: 40n })
    const { discrepancies } = await reconciliation.check()
    // Once for the account, once for all money of the engine.
    expect(discrepancies).toMatchObject([
      { accountId: account.id, engine: 'scripted', amount: 40n },
      { accountId: undefined, engine: 'scripted', amount: 40n },
    ])
    expect(discrepancies[0]?.differences.join()).toMatch(/ledger holds/)
    expect([rig.alarms.counts.difference, metric]).toEqual([2, 80n])
  })

  it('finds a credit in the ledger that no engine told', async () => {
    await rig.ledger.settleIn({ id: 'planted', account, engine: 'scripted', amount: 123n })
    const { discrepancies } = await reconciliation.check()
    expect(discrepancies).toMatchObject([{ accountId: undefined, engine: 'scripted', amount: 123n }])
  })

  it('finds orders that the engine carried out and the journal does not know, and the reverse', async () => {
    await rig.engine.settle({
      id: 'planted',
      accountId: account.id,
      quantity: { amount: 7n, scale: 6 },
    })
    expect((await reconciliation.check()).discrepancies).toMatchObject([{ amount: 7_000n }])
    addToTotal(rig.store.database, {
      kind: 'carried-out',
      engine: 'scripted',
      accountId: account.id,
      assetCode: 'XRP',
      scale: 6,
      amount: 9n,
    })
    const { discrepancies } = await reconciliation.check()
    expect(discrepancies[0]?.differences.join()).toMatch(/carried out/)
  })

  it('passes on what the engine itself found, and says what it could not check', async () => {
    rig.engine.differences.push('the channel holds less than promised')
    const { discrepancies } = await reconciliation.check()
    expect(discrepancies[0]?.differences).toEqual([
      'engine and network: the channel holds less than promised',
    ])
    const lost = new Reconciliation(
      { pendingIsHeld: true },
      {
        journal: rig.journal,
        ledger: rig.ledger,
        accounts: () => rig.coordinator.settledAccounts,
        engine: () => undefined,
        clock: rig.clock,
        logger: silentLogger,
        alarms: rig.alarms,
        difference: () => undefined,
        unchecked: (_, count) => {
          unchecked = count
        },
      },
    )
    expect((await lost.check()).unchecked).toMatchObject([{ accountId: account.id }])
    expect(unchecked).toBe(1)
  })

  it('does not take for a difference what is gone at the second look', async () => {
    rig.engine.differences.push('for a moment')
    const checking = reconciliation.check()
    rig.engine.differences = []
    expect((await checking).discrepancies).toEqual([])
  })
})
