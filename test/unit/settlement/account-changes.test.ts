import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import { Reconciliation } from '../../../src/settlement/reconciliation.ts'
import { ScriptedEngine } from '../../support/scripted-engine.ts'
import { SettlementRig, TestBooks } from './settlement-rig.ts'

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount

beforeAll(async () => {
  books = await TestBooks.open()
})

afterAll(async () => {
  await books.close()
})

beforeEach(async () => {
  rig = new SettlementRig(books, { name: books.unique('changes'), handOverDeadlineMs: 50 })
  account = await books.account(9, 1_000n)
})

afterEach(async () => {
  await rig.stop()
})

function orders(): [engine: string, amount: bigint, state: string][] {
  return rig.journal.outgoing
    .page({ accountId: account.id, before: undefined, limit: 100 })
    .reverse()
    .map(({ amount, engine, state }) => [engine, amount, state])
}

async function otherEngine(): Promise<ScriptedEngine> {
  const engine = new ScriptedEngine(
    { path: join(books.directory, `${rig.name}.other.json`), name: 'other' },
    { host: rig.coordinator.host('other') },
  )
  await engine.start()
  await rig.coordinator.addEngine(engine)
  return engine
}

/** Holds every `openAccount` back until `go` is called. */
function slowOpening(engine: ScriptedEngine): { go: () => void; asked: string[] } {
  const gate = Promise.withResolvers<void>()
  const asked: string[] = []
  const open = engine.openAccount.bind(engine)
  engine.openAccount = async (opened) => {
    asked.push(opened.id)
    await gate.promise
    await open(opened)
  }
  return { go: () => gate.resolve(), asked }
}

describe('an account that gets another engine', () => {
  it('has what is held handed over before the engine is told that it is gone', async () => {
    await otherEngine()
    rig.engine.answers.push('unavailable')
    await rig.start([{ account }])
    expect(orders()).toEqual([['scripted', 900n, 'held']])
    await rig.pass(1_000)
    expect(orders()).toEqual([['scripted', 900n, 'handed-over']])
    rig.engine.answers.push('unavailable')
    await books.owe(account, 1_000n)
    rig.coordinator.balanceChanged(account.id)
    await rig.run()
    expect(orders()[1]).toEqual(['scripted', 1_000n, 'held'])
    rig.clock.nowMs += 1_000
    await rig.add(account, { engine: 'other' })
    expect(orders()[1]).toEqual(['scripted', 1_000n, 'handed-over'])
  })

  it('settles by it although the former one does not take its order, and nothing twice', async () => {
    const other = await otherEngine()
    for (let attempt = 0; attempt < 20; attempt++) rig.engine.answers.push('unavailable')
    await rig.start([{ account }])
    await rig.add(account, { engine: 'other' })
    await books.owe(account, 2_000n)
    rig.coordinator.balanceChanged(account.id)
    await rig.run()
    expect(orders()).toEqual([
      ['scripted', 900n, 'held'],
      ['other', 2_000n, 'handed-over'],
    ])
    await other.carryOut()
    await rig.run()
    const { balance, debitsPending } = await books.booked(account)
    expect([balance, debitsPending]).toEqual([1_000n, 900n])
    // What is held for the former engine is no difference.
    const reconciliation = new Reconciliation(
      { pendingIsHeld: true, confirmMs: 1 },
      {
        journal: rig.journal,
        ledger: rig.ledger,
        accounts: () => rig.coordinator.settledAccounts,
        engine: (name) => rig.coordinator.engine(name),
        clock: rig.clock,
        logger: silentLogger,
        alarms: rig.alarms,
        difference: () => undefined,
        unchecked: () => undefined,
      },
    )
    const { discrepancies, unchecked } = await reconciliation.check()
    expect([discrepancies, unchecked]).toEqual([[], []])
  })

  it('orders of it what the former one has not heard of', async () => {
    await otherEngine()
    await rig.start([{ account, terms: { threshold: 5_000n } }])
    await rig.coordinator.settleNow(account.id, 500n)
    rig.coordinator.pause(account.id, 'to see')
    await rig.run()
    expect(orders()).toEqual([['scripted', 500n, 'planned']])
    await rig.add(account, { engine: 'other', threshold: 1_000n })
    rig.coordinator.resume(account.id)
    await rig.run()
    expect(orders()).toEqual([['scripted', 500n, 'refused']])
    await rig.pass(60_000)
    expect(orders()[1]).toEqual(['other', 900n, 'handed-over'])
    expect(rig.engine.calls).toEqual([])
    expect((await books.booked(account)).debitsPending).toBe(900n)
  })
})

describe('an account that is changed while its engine is asked', () => {
  it('does not settle when it was removed meanwhile, and is not served', async () => {
    await rig.start([])
    const { asked, go } = slowOpening(rig.engine)
    const adding = rig.add(account)
    const removing = rig.coordinator.removeAccount(account.id)
    go()
    await Promise.all([adding, removing])
    await rig.run()
    expect(asked).toEqual([account.id])
    expect(orders()).toEqual([])
    expect(rig.coordinator.settledAccount(account.id)).toBeUndefined()
    expect(() => rig.engine.scaleOf(account.id)).toThrow()
  })

  it('keeps the later terms when the engine does not take the earlier ones', async () => {
    await rig.start([])
    const open = rig.engine.openAccount.bind(rig.engine)
    const gate = Promise.withResolvers<void>()
    let calls = 0
    rig.engine.openAccount = async (opened) => {
      if (++calls > 1) return await open(opened)
      await gate.promise
      throw new EngineConfigError('mode', 'not that')
    }
    const first = rig.add(account, { threshold: 10n, settleTo: 0n }).catch((error: Error) => error.message)
    await rig.add(account, { threshold: 5_000n })
    gate.resolve()
    expect(await first).toBe('not that')
    await rig.run()
    expect(rig.coordinator.settledAccount(account.id)?.terms.threshold).toBe(5_000n)
    expect(orders()).toEqual([])
  })

  it('is not opened by an engine that comes up after it was removed', async () => {
    const second = await books.account(9, 1_000n)
    await rig.add(account)
    await rig.add(second)
    rig.coordinator.start()
    await rig.engine.start()
    const { asked, go } = slowOpening(rig.engine)
    const coming = rig.coordinator.addEngine(rig.engine)
    await vi.waitFor(() => expect(asked).toEqual([account.id]))
    const removing = rig.coordinator.removeAccount(second.id)
    go()
    await Promise.all([coming, removing])
    expect(asked).toEqual([account.id])
  })
})

describe('an account that cannot settle now', () => {
  it('costs nothing when its balance moves, and settles when its engine is there', async () => {
    await rig.add(account)
    rig.coordinator.start()
    await rig.run()
    const open = vi.spyOn(rig.journal.outgoing, 'open')
    for (let packet = 0; packet < 20; packet++) {
      rig.coordinator.balanceChanged(account.id)
      await rig.run()
    }
    expect(open).not.toHaveBeenCalled()
    await rig.engine.start()
    await rig.coordinator.addEngine(rig.engine)
    await rig.run()
    expect(orders()).toEqual([['scripted', 900n, 'handed-over']])
  })

  it('is looked at again when it is resumed', async () => {
    await rig.start([{ account, terms: { threshold: 5_000n } }])
    rig.coordinator.pause(account.id, 'to see')
    await books.owe(account, 9_000n)
    rig.coordinator.balanceChanged(account.id)
    await rig.run()
    rig.coordinator.resume(account.id)
    await rig.run()
    expect(orders()).toEqual([['scripted', 9_900n, 'handed-over']])
  })

  it('settles what an interval asked for as soon as its engine is there', async () => {
    await rig.add(account, { threshold: 5_000n, intervalMs: 60_000 })
    rig.coordinator.start()
    await rig.pass(60_000)
    expect(orders()).toEqual([])
    await rig.engine.start()
    await rig.coordinator.addEngine(rig.engine)
    await rig.run()
    expect(orders()).toEqual([['scripted', 900n, 'handed-over']])
  })

  it('waits for the minimum before it asks the books', async () => {
    await rig.start([{ account, terms: { threshold: 100n, settleTo: 0n, minAmount: 2_000n } }])
    const asked = vi.spyOn(rig.journal.outgoing, 'open')
    rig.coordinator.balanceChanged(account.id)
    await rig.run()
    expect(asked).not.toHaveBeenCalled()
    await books.owe(account, 1_000n)
    rig.coordinator.balanceChanged(account.id)
    await rig.run()
    expect(orders()).toEqual([['scripted', 2_000n, 'handed-over']])
  })
})

describe('an account that was removed', () => {
  it('and has nothing under way is forgotten; one that has is not, until that has ended', async () => {
    const second = await books.account(9, 0n)
    await rig.start([{ account }, { account: second }])
    await rig.coordinator.removeAccount(account.id)
    await rig.coordinator.removeAccount(second.id)
    await rig.run()
    expect(() => rig.coordinator.pause(second.id, 'why')).toThrow('no settlement configured')
    await rig.engine.carryOut()
    await rig.run()
    expect(orders()).toEqual([['scripted', 900n, 'settled']])
    await rig.add(second)
    await books.owe(second, 1_000n)
    rig.coordinator.balanceChanged(second.id)
    await rig.run()
    const found = rig.journal.outgoing.page({ accountId: second.id, before: undefined, limit: 1 })
    expect(found.map(({ state }) => state)).toEqual(['handed-over'])
  })
})
