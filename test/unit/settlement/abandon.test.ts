import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../src/admin/services.ts'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import {
  type OrderVerdict,
  type SettlementOrder,
  VerdictRefusedError,
} from '../../../src/settlement/engine.ts'
import { Reconciliation } from '../../../src/settlement/reconciliation.ts'
import { Settlements } from '../../../src/settlement/settlement-service.ts'
import { SettlementRig, TestBooks } from './settlement-rig.ts'

const VERDICT: OrderVerdict = { outcome: 'not-paid', reason: 'not in its books', doubtful: true }

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount
let service: Settlements
/** What the engine was told to end. */
let ended: { order: SettlementOrder; verdict: OrderVerdict }[]

beforeAll(async () => {
  books = await TestBooks.open()
})
afterAll(async () => await books.close())
beforeEach(async () => {
  account = await books.account(9, 1_500n)
  ended = []
  await begin(books.unique('node'))
})
afterEach(async () => await rig.stop())

/** A node whose engine tells nothing by itself. */
async function begin(name: string): Promise<void> {
  rig = new SettlementRig(books, { name })
  rig.engine.outcome = () => 'open'
  const { journal, coordinator, alarms, clock, engine } = rig
  Object.assign(engine, {
    abandon: async (order: SettlementOrder, verdict: OrderVerdict) => {
      if (!verdict.doubtful) throw new VerdictRefusedError('the engine may have the order')
      ended.push({ order, verdict })
    },
  })
  await rig.start([{ account }])
  const reconciliation = new Reconciliation(
    { confirmMs: 1, pendingIsHeld: true },
    {
      journal,
      ledger: rig.ledger,
      accounts: () => coordinator.settledAccounts,
      engine: (engineName) => coordinator.engine(engineName),
      clock,
      logger: silentLogger,
      alarms,
      difference: () => undefined,
      unchecked: () => undefined,
    },
  )
  service = new Settlements({ coordinator, journal, reconciliation, engines: () => [] })
}

/** The engine tells what it was told to. */
async function tell(): Promise<void> {
  const [{ order, verdict }] = ended as [{ order: SettlementOrder; verdict: OrderVerdict }]
  const host = rig.coordinator.host('scripted')
  if (verdict.outcome === 'paid') await host.settled(order.id)
  else await host.refused(order.id, verdict.reason)
  await rig.run()
}

const held = async () => (await books.booked(account)).debitsPending
const balance = async () => (await books.booked(account)).balance
const only = () => rig.journal.outgoing.page({ accountId: account.id, before: undefined, limit: 9 }).at(-1)!

async function code(action: () => Promise<unknown>): Promise<string> {
  try {
    await action()
    return 'done'
  } catch (error) {
    return error instanceof ServiceError ? error.code : `not a refusal: ${String(error)}`
  }
}

describe('a settlement whose end nobody tells', () => {
  it('stays held, over restarts, and is settled no second time', async () => {
    expect(only().state).toBe('handed-over')
    expect([await balance(), await held()]).toEqual([1_500n, 1_400n])
    const { name } = rig
    await rig.stop()
    await begin(name)
    await rig.pass(24 * 3_600_000)
    expect(only().state).toBe('handed-over')
    expect([await balance(), await held()]).toEqual([1_500n, 1_400n])
    expect(rig.engine.calls).toEqual([])
  })

  it('leaves the balance when an operator says that it was paid', async () => {
    const { id, quantity } = only()
    const view = await service.abandon(id, { ...VERDICT, outcome: 'paid', reason: ' seen at the peer ' })
    expect(view).toMatchObject({ id, state: 'handed-over', reason: 'by an operator: seen at the peer' })
    expect(ended[0]?.order).toEqual({ id, accountId: account.id, quantity })
    // The engine has heard it, the node has not yet: nothing has moved.
    expect([await balance(), await held()]).toEqual([1_500n, 1_400n])
    await tell()
    expect(only()).toMatchObject({ state: 'settled', reason: 'by an operator: seen at the peer' })
    expect([await balance(), await held()]).toEqual([100n, 0n])
  })

  it('goes back to the balance when an operator says that it was not, and is then owed again', async () => {
    const { id } = only()
    await service.abandon(id, VERDICT)
    expect([await balance(), await held()]).toEqual([1_500n, 1_400n])
    await tell()
    expect(only()).toMatchObject({ state: 'refused', reason: 'by an operator: not in its books' })
    expect([await balance(), await held()]).toEqual([1_500n, 0n])
    await rig.pass(120_000)
    const [next] = rig.journal.outgoing.open(account.id)
    expect(next?.id).not.toBe(id)
    expect(next?.amount).toBe(1_400n)
  })

  it('is decided only where there is something to decide, by somebody who says how he knows', async () => {
    const { id } = only()
    expect(await code(() => service.abandon('unheard-of', VERDICT))).toBe('RESOURCE_NOT_FOUND')
    expect(await code(() => service.abandon(id, { ...VERDICT, reason: '  ' }))).toBe('VALIDATION_ERROR')
    expect(await code(() => service.abandon(id, { ...VERDICT, reason: 'x'.repeat(501) }))).toBe(
      'VALIDATION_ERROR',
    )
    expect(await code(() => service.abandon(id, { ...VERDICT, doubtful: false }))).toBe('CONFLICT')
    expect(ended).toEqual([])
    expect(only()).toMatchObject({ state: 'handed-over', reason: undefined })
    await service.abandon(id, VERDICT)
    await tell()
    expect(await code(() => service.abandon(id, VERDICT))).toBe('CONFLICT')
    Object.assign(rig.engine, { abandon: undefined })
    await rig.pass(120_000)
    const [next] = rig.journal.outgoing.open(account.id)
    expect(await code(() => service.abandon(next!.id, VERDICT))).toBe('NOT_SUPPORTED')
  })
})
