import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { LedgerUnavailableError } from '../../../src/ledger/ledger-store.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import type { IncomingCredit } from '../../../src/settlement/engine.ts'
import { Reconciliation } from '../../../src/settlement/reconciliation.ts'
import type { SettlementLedger } from '../../../src/settlement/settlement-ledger.ts'
import { SettlementRefusal } from '../../../src/settlement/settlement-refusal.ts'
import { CrashSwitch } from './crash-switch.ts'
import { SettlementRig, TestBooks } from './settlement-rig.ts'

const HOUR_MS = 3_600_000
const THRESHOLD = 1_000n
const TERMS = { threshold: THRESHOLD, settleTo: 0n }

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount
let name: string

beforeEach(async () => {
  books = await TestBooks.open()
  name = books.unique('node')
  account = await books.account(9, 0n)
  rig = new SettlementRig(books, { name })
  await rig.start([{ account, terms: TERMS }])
})

afterEach(async () => {
  await rig.stop()
  await books.close()
})

const file = (suffix: string) => join(books.directory, `${name}.sqlite${suffix}`)

/** The process ends; its journal is as it was. */
async function end(): Promise<void> {
  await rig.stop()
}

function keepCopy(): void {
  rig.store.database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  copyFileSync(file(''), file('.copy'))
}

function loseJournal(): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file(suffix), { force: true })
}

function restoreJournal(): void {
  loseJournal()
  copyFileSync(file('.copy'), file(''))
}

async function startAgain(ledger?: SettlementLedger): Promise<void> {
  rig = new SettlementRig(books, { name, clock: rig.clock, ...(ledger === undefined ? {} : { ledger }) })
  await rig.start([{ account, terms: TERMS }])
}

async function owe(amount: bigint): Promise<void> {
  await books.owe(account, amount)
  rig.coordinator.balanceChanged(account.id)
  await rig.run()
}

/** An order planned and carried to its end. */
async function settle(amount: bigint): Promise<void> {
  await owe(amount)
  await rig.engine.carryOut()
  await rig.run()
}

async function credit(amount: bigint, accountId: string | null = account.id): Promise<IncomingCredit> {
  const told = {
    id: books.unique('credit'),
    accountId: accountId ?? undefined,
    assetCode: 'XRP',
    quantity: { amount, scale: 9 },
    sender: undefined,
  }
  rig.engine.payIn(told)
  await rig.engine.tellAll()
  await rig.run()
  return told
}

const states = () =>
  rig.journal
    .page({ accountId: account.id, direction: 'out', limit: 100 })
    .flatMap((entry) => (entry.direction === 'out' ? [entry.settlement.state] : []))
    .reverse()
const ordersOfEngine = () => Object.keys(rig.engine.orders).length
const shut = () => rig.coordinator.shutReason('scripted')
const accept = async (amount: bigint) =>
  await rig.coordinator.acceptDifference('scripted', {
    assetCode: 'XRP',
    assetScale: undefined,
    amount,
    reason: 'the copy of last night',
  })
const balance = async () => (await books.booked(account)).balance

async function discrepancies() {
  const reconciliation = new Reconciliation(
    { confirmMs: 1, pendingIsHeld: true },
    {
      journal: rig.journal,
      ledger: rig.ledger,
      accounts: () => rig.coordinator.settledAccounts,
      engine: (engine) => rig.coordinator.engine(engine),
      clock: rig.clock,
      logger: silentLogger,
      alarms: rig.alarms,
      unchecked: () => undefined,
      difference: () => undefined,
    },
  )
  const report = await reconciliation.check()
  return report.discrepancies
}

/** Nothing is ordered, however long it takes and whatever is owed. */
async function expectShut(difference: bigint): Promise<void> {
  const before = ordersOfEngine()
  await owe(5_000n)
  await rig.pass(HOUR_MS)
  expect(ordersOfEngine()).toBe(before)
  expect(shut()).toContain(`--asset XRP --amount ${difference})`)
  expect(rig.alarms.counts['books-mismatch']).toBe(1)
  await expect(rig.coordinator.settleNow(account.id)).rejects.toThrow(/ledger and journal do not agree/)
  await expect(rig.coordinator.host('scripted').orders(account.id)).rejects.toThrow(/do not agree/)
}

describe('a start with books that belong together', () => {
  it('opens at once, with nothing booked and with everything under way', async () => {
    expect(shut()).toBeUndefined()
    await settle(2_000n)
    await credit(300n)
    await credit(40n, null)
    await owe(3_000n)
    await end()
    await startAgain()
    expect(shut()).toBeUndefined()
    expect(rig.alarms.counts['books-mismatch']).toBe(0)
    const [suspended] = rig.journal.credits.page({ accountId: undefined, before: undefined, limit: 1 })
    await rig.coordinator.attribute('scripted', suspended!.id, account.id)
    await rig.engine.carryOut()
    await end()
    await startAgain()
    expect(shut()).toBeUndefined()
    expect(await discrepancies()).toEqual([])
  })

  it('waits for a ledger that cannot be asked, and tells why', async () => {
    await end()
    let isAway = true
    const { ledger } = books
    const away = new Proxy(ledger, {
      get(target, property) {
        if (property === 'balances' && isAway) {
          return async () => {
            throw new LedgerUnavailableError('no answer')
          }
        }
        const value = Reflect.get(target, property, target) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await startAgain(away)
    await books.owe(account, 5_000n)
    await rig.pass(HOUR_MS)
    expect(states()).toEqual([])
    expect(shut()).toBe('ledger and journal cannot be compared now: no answer')
    expect(rig.alarms.counts['books-mismatch']).toBe(0)
    isAway = false
    await rig.pass(HOUR_MS)
    expect(shut()).toBeUndefined()
    expect(states()).toEqual(['handed-over'])
  })
})

describe('a journal that is lost', () => {
  it('pays nothing and settles nothing before an operator has accepted what the ledger has', async () => {
    await settle(2_000n)
    await credit(500n)
    await settle(3_000n)
    await end()
    loseJournal()
    await startAgain()
    // 500 of the second order came from the credit.
    await expectShut(5_000n)
    expect(states()).toEqual([])
    expect(rig.journal.totals('scripted')).toEqual([])

    await expect(accept(4_999n)).rejects.toThrow('the difference is 5000, not 4999')
    expect(rig.journal.totals('scripted')).toEqual([])
    expect(await accept(5_000n)).toMatchObject({ paid: 5_500n, received: 500n })
    expect(shut()).toBeUndefined()
    const host = rig.coordinator.host('scripted')
    expect(await host.orders(account.id)).toMatchObject({ settled: { amount: 5_500n, scale: 9 } })
    await rig.run()
    expect(states()).toEqual(['handed-over'])
    await rig.engine.carryOut()
    await rig.run()
    expect(states()).toEqual(['settled'])
    expect(await balance()).toBe(0n)
    expect(await host.orders(account.id)).toMatchObject({ settled: { amount: 10_500n, scale: 9 } })
    expect(await discrepancies()).toEqual([])
    await expect(accept(0n)).rejects.toThrow('agree in XRP')

    await end()
    await startAgain()
    expect(shut()).toBeUndefined()
  })

  it('is found when as much was received as was paid', async () => {
    await settle(2_000n)
    rig.coordinator.pause(account.id, 'so that what comes in stays')
    await credit(500n)
    await credit(1_500n)
    await end()
    loseJournal()
    await startAgain()
    const reason = shut()
    expect(reason).toContain('paid or held for peers')
    expect(reason).toContain('received from peers')
    expect(reason).toContain('--amount 0)')
    expect(await accept(0n)).toMatchObject({ paid: 2_000n, received: 2_000n })
    expect(shut()).toBeUndefined()
    expect(await discrepancies()).toEqual([])
  })

  it('with an order handed over counts what is held for it, and never as paid', async () => {
    await settle(2_000n)
    await owe(3_000n)
    expect(states()).toEqual(['settled', 'handed-over'])
    await end()
    loseJournal()
    await startAgain()
    await expectShut(5_000n)
    await expect(rig.engine.carryOut()).resolves.toBeUndefined()
    expect(rig.alarms.counts.contradiction).toBeGreaterThan(0)
    await accept(5_000n)
    const { settled } = await rig.coordinator.host('scripted').orders(account.id)
    expect(settled.amount).toBe(2_000n)
  })

  it('with an order planned and not held yet is as if nothing was planned', async () => {
    rig.coordinator.pause(account.id, 'later')
    rig.journal.outgoing.plan([
      {
        id: books.unique('order'),
        accountId: account.id,
        engine: 'scripted',
        assetCode: 'XRP',
        assetScale: 9,
        amount: 1_000n,
        quantity: { amount: 1_000n, scale: 9 },
        cause: 'threshold',
      },
    ])
    await end()
    loseJournal()
    await startAgain()
    expect(shut()).toBeUndefined()
  })

  it('lets credits come in and books each once, those before the loss too', async () => {
    const told = await credit(700n)
    await end()
    loseJournal()
    await startAgain()
    expect(shut()).toContain('--amount -700)')
    await credit(50n)
    expect(await balance()).toBe(750n)
    expect(shut()).toContain('--amount -700)')
    await rig.coordinator.host('scripted').credit(told)
    expect(await balance()).toBe(750n)
    // Told again, it is in the journal again: the books agree by themselves.
    await rig.pass(HOUR_MS)
    expect(shut()).toBeUndefined()
    expect(await discrepancies()).toEqual([])
  })

  it('is not accepted by halves when the process dies over it', async () => {
    await settle(2_000n)
    await end()
    loseJournal()
    const deaths: (string | undefined)[] = []
    for (let at = 1; at < 20; at++) {
      const crash = new CrashSwitch(at)
      rig = new SettlementRig(books, { name, clock: rig.clock, crash })
      await rig.start([{ account, terms: TERMS }])
      await accept(2_000n).catch(() => undefined)
      if (!crash.dead) break
      deaths.push(crash.trace.at(-1))
      await end()
    }
    expect(deaths).toEqual(['store.begin', 'store.commit', 'store.committed'])
    await end()
    await startAgain()
    expect(shut()).toBeUndefined()
    expect(rig.journal.accepted.totals('scripted').map(({ amount, kind }) => [kind, amount])).toEqual([
      ['posted', 2_000n],
      ['booked', 0n],
      ['carried-out', 2_000n],
    ])
    await settle(4_000n)
    expect(states()).toEqual(['settled'])
    expect(await discrepancies()).toEqual([])
  })
})

describe('a journal that is restored from an older copy', () => {
  it('pays nothing before an operator has accepted what it misses', async () => {
    await settle(2_000n)
    keepCopy()
    await settle(3_000n)
    await credit(100n)
    await end()
    restoreJournal()
    await startAgain()
    await expectShut(2_900n)
    expect(states()).toEqual(['settled'])
    expect(await accept(2_900n)).toMatchObject({ paid: 3_000n, received: 100n })
    await settle(1_000n)
    expect(states()).toEqual(['settled', 'settled'])
    expect(await balance()).toBe(0n)
    expect(await discrepancies()).toEqual([])
  })

  it('goes on with an order that it calls handed over and the ledger has posted', async () => {
    await owe(2_000n)
    keepCopy()
    await rig.engine.carryOut()
    await rig.run()
    expect(states()).toEqual(['settled'])
    await settle(3_000n)
    await end()
    restoreJournal()
    await startAgain()
    await expectShut(3_000n)
    await accept(3_000n)
    const [first] = Object.keys(rig.engine.orders)
    const host = rig.coordinator.host('scripted')
    expect(await host.orders(account.id)).toMatchObject({
      settled: { amount: 3_000n },
      open: [{ id: first }],
    })
    await host.settled(first!)
    await rig.run()
    expect(await host.orders(account.id)).toMatchObject({ settled: { amount: 5_000n } })
    await rig.engine.carryOut()
    await rig.run()
    expect(await balance()).toBe(0n)
    expect(await discrepancies()).toEqual([])
  })

  it('that misses only what is held pays nothing either', async () => {
    keepCopy()
    await owe(2_000n)
    expect(states()).toEqual(['handed-over'])
    await end()
    restoreJournal()
    await startAgain()
    await expectShut(2_000n)
  })

  it('that calls an order held which the engine has hands it over once more, by the same id', async () => {
    rig.engine.unreachable = true
    await owe(2_000n)
    expect(states()).toEqual(['held'])
    keepCopy()
    rig.engine.unreachable = false
    await rig.pass(HOUR_MS)
    expect(states()).toEqual(['handed-over'])
    await end()
    restoreJournal()
    await startAgain()
    expect(shut()).toBeUndefined()
    expect(states()).toEqual(['handed-over'])
    expect(ordersOfEngine()).toBe(1)
  })
})

describe('a ledger that is lost, or restored from an older copy', () => {
  /** The ledger forgets: what the journal moved since stands in none of its accounts. */
  async function forgetLedger(): Promise<void> {
    await books.lose()
    account = await books.account(9, 0n, account.id)
  }

  it('pays nothing again before an operator has accepted it', async () => {
    await settle(2_000n)
    await credit(100n)
    await end()
    await forgetLedger()
    await startAgain()
    await expectShut(-1_900n)
    expect(states()).toEqual(['settled'])
    expect(await accept(-1_900n)).toMatchObject({ paid: -2_000n, received: -100n })
    const { settled } = await rig.coordinator.host('scripted').orders(account.id)
    expect(settled.amount).toBe(2_000n)
    await rig.run()
    await rig.engine.carryOut()
    await rig.run()
    expect(states()).toEqual(['settled', 'settled'])
    expect(await balance()).toBe(0n)
    expect(await discrepancies()).toEqual([])
  })

  it('pays nothing again for what it has forgotten since the copy', async () => {
    await settle(2_000n)
    await end()
    await books.keepCopy()
    account = await books.account(9, 0n, account.id)
    await startAgain()
    expect(shut()).toBeUndefined()
    await settle(3_000n)
    await end()
    await books.restoreCopy()
    account = await books.account(9, 0n, account.id)
    await startAgain()
    await expectShut(-3_000n)
    expect(states()).toEqual(['settled', 'settled'])
  })

  it('with an order handed over pays nothing else meanwhile', async () => {
    await owe(2_000n)
    await end()
    await forgetLedger()
    await startAgain()
    await expectShut(-2_000n)
    expect(states()).toEqual(['handed-over'])
  })
})

describe('accepting a difference', () => {
  it('is refused for an engine that does not run, another asset, and books that agree', async () => {
    await settle(2_000n)
    await expect(accept(0n)).rejects.toThrow(SettlementRefusal)
    const acceptance = { assetCode: 'XRP', assetScale: undefined, amount: 1n, reason: 'why not' }
    await expect(rig.coordinator.acceptDifference('nobody', acceptance)).rejects.toThrow('is running')
    const other = { ...acceptance, assetCode: 'USD' }
    await expect(rig.coordinator.acceptDifference('scripted', other)).rejects.toThrow('agree in USD')
  })

  it('gives every account what the ledger has of it', async () => {
    const second = await books.account(9, 0n)
    await rig.add(second, TERMS)
    await settle(2_000n)
    await books.owe(second, 7_000n)
    rig.coordinator.balanceChanged(second.id)
    await rig.run()
    await rig.engine.carryOut()
    await rig.run()
    await end()
    loseJournal()
    await startAgain()
    await rig.add(second, TERMS)
    await accept(9_000n)
    const host = rig.coordinator.host('scripted')
    expect((await host.orders(account.id)).settled.amount).toBe(2_000n)
    expect((await host.orders(second.id)).settled.amount).toBe(7_000n)
    expect(await discrepancies()).toEqual([])
  })
})
