import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type LedgerAccount, ReserveOutcome } from '../../../src/ledger/ledger.ts'
import type { OutgoingSettlement } from '../../../src/settlement/outgoing-journal.ts'
import type { SettlementLedger } from '../../../src/settlement/settlement-ledger.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'
import { waitFor } from '../../support/wait-for.ts'
import { type RigOptions, SettlementRig, TestBooks } from './settlement-rig.ts'

const HOUR_MS = 3_600_000
const SLOTS = 16

let books: TestBooks
let rig: SettlementRig
let bob: LedgerAccount
let carol: LedgerAccount

beforeAll(async () => {
  books = await TestBooks.open()
})

afterAll(async () => {
  await books.close()
})

beforeEach(async () => {
  bob = await books.account(9, 2_000n)
  carol = await books.account(9, 0n)
})

afterEach(async () => {
  await rig.stop()
})

async function start(options: Partial<RigOptions> = {}): Promise<void> {
  rig = new SettlementRig(books, { name: books.unique('node'), ...options })
  await rig.start([{ account: bob }])
}

/** A packet of Bob's to Carol. */
function send(slot: number, amount: number): ReserveOutcome {
  return books.ledger.reserve(slot, bob, carol, amount, amount)
}

async function land(slot: number, amount: bigint): Promise<void> {
  const before = BigInt(carol.balance)
  books.ledger.commit(slot)
  await waitFor('the packet', () => BigInt(carol.balance) === before + amount)
}

function orders(): OutgoingSettlement[] {
  return rig.journal.outgoing.page({ accountId: bob.id, before: undefined, limit: 1_000 }).reverse()
}

describe('what a peer without credit is spending', () => {
  it('is not paid out to it as well', async () => {
    expect(send(0, 1_500)).toBe(ReserveOutcome.reserved)
    await start()
    expect(orders()).toEqual([])
    await expect(rig.coordinator.settleNow(bob.id, 501n)).rejects.toThrow(/only 500 is owed.*2000 less 1500/)
    await rig.coordinator.settleNow(bob.id, 500n)
    await rig.run()
    await rig.engine.carryOut()
    await rig.run()
    await land(0, 1_500n)
    expect(orders().map(({ amount, state }) => [amount, state])).toEqual([[500n, 'settled']])
    expect(bob.balance).toBe(0)
  })

  it('is settled soon after it came back, though no packet tells', async () => {
    expect(send(0, 1_500)).toBe(ReserveOutcome.reserved)
    await start()
    books.ledger.release(0)
    await rig.pass(1_000)
    expect(orders().map(({ amount, state }) => [amount, state])).toEqual([[1_900n, 'handed-over']])
  })

  it('is not paid out when it went between plan and hold', async () => {
    let isFirst = true
    await start({
      ledger: withHold(async (entry) => {
        if (isFirst) expect(send(0, 1_500)).toBe(ReserveOutcome.reserved)
        isFirst = false
        await books.ledger.holdSettlement(entry)
      }),
    })
    expect(orders().map(({ state }) => state)).toEqual(['refused'])
    expect((await books.booked(bob)).debitsPending).toBe(0n)
    await land(0, 1_500n)
    await rig.pass(HOUR_MS)
    expect(rig.engine.calls).toEqual([])
    expect(bob.balance).toBe(500)
  })

  it.each([1, 2, 3, 4, 5])('is never paid twice in any history, seed %d', async (seed) => {
    const random = new SeededRandom(seed)
    await start()
    rig.engine.outcome = () => (random.below(4) === 0 ? 'refused' : 'settled')
    const flying = new Map<number, number>()
    for (let step = 0; step < 120; step++) {
      const slot = random.below(SLOTS)
      const amount = flying.get(slot)
      if (amount === undefined) {
        const wanted = 1 + random.below(900)
        if (send(slot, wanted) === ReserveOutcome.reserved) flying.set(slot, wanted)
      } else {
        flying.delete(slot)
        if (random.below(3) === 0) books.ledger.release(slot)
        else await land(slot, BigInt(amount))
      }
      if (random.below(6) === 0) await books.owe(bob, BigInt(random.below(1_500) + 1))
      if (random.below(5) === 0) await rig.coordinator.settleNow(bob.id).catch(() => undefined)
      if (random.below(4) === 0) await rig.engine.carryOut()
      rig.coordinator.balanceChanged(bob.id)
      await rig.pass(random.below(90_000))
      const { balance, debitsPending } = await books.booked(bob)
      const inFlight = [...flying.values()].reduce((sum, one) => sum + one, 0)
      expect(balance - debitsPending - BigInt(inFlight)).toBeGreaterThanOrEqual(0n)
    }
    for (const slot of flying.keys()) books.ledger.release(slot)
  })
})

/** The ledger, with another way to hold. */
function withHold(holdSettlement: SettlementLedger['holdSettlement']): SettlementLedger {
  const { ledger } = books
  return {
    available: true,
    probe: () => ledger.probe(),
    openAccount: (spec) => ledger.openAccount(spec),
    settleIn: (entry) => ledger.settleIn(entry),
    holdSettlement,
    postSettlement: (id) => ledger.postSettlement(id),
    voidSettlement: (id) => ledger.voidSettlement(id),
    balance: (account) => ledger.balance(account),
    balances: () => ledger.balances(),
    history: (query) => ledger.history(query),
  }
}
