import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ExclusiveLedger } from '../../../src/ledger/exclusive-ledger.ts'
import { type LedgerAccount, ReserveOutcome, type SettlementEntry } from '../../../src/ledger/ledger.ts'
import { LedgerUnavailableError } from '../../../src/ledger/ledger-store.ts'
import { SqliteStore } from '../../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { FaultyLedgerStore } from '../../compliance/faulty-ledger-store.ts'
import { expectBalanced } from '../../compliance/ledger-harness.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'
import { waitFor } from '../../compliance/wait-for.ts'

const SLOTS = 512
const STEPS = 3_000
const ATTEMPTS_MAX = 500

/** Packets and settlements all at once, while the store comes and goes; nothing waits for anything. */
it('agrees with a plain sum of everything that happened, whatever the store did meanwhile', async () => {
  const random = new SeededRandom(Number(process.env.LEDGER_SEED ?? Date.now() & 0xffffffff))
  console.log(`chaos seed ${random.seed}`)
  const directory = await mkdtemp(join(tmpdir(), 'causeway-chaos-'))
  const file = { path: join(directory, 'ledger.db'), packetDetailDays: 1 }
  const store = new FaultyLedgerStore(new SqliteStore(file, { clock: systemClock, logger: silentLogger }), 20)
  const faults: Error[] = []
  const ledger = new ExclusiveLedger(
    { slots: SLOTS, maxBatchRecords: 64, batchSlowMs: 15, retryMinMs: 1, retryMaxMs: 10 },
    { store, clock: systemClock, logger: silentLogger, onFault: (error) => faults.push(error) },
  )
  await ledger.start()
  try {
    const accounts: LedgerAccount[] = []
    const limits = [0n, 500n, 5_000n, 2n ** 60n]
    for (const [i, creditLimit] of limits.entries()) {
      const spec = { id: `peer${i}`, assetCode: 'USD', assetScale: 2, payableLimit: undefined, creditLimit }
      accounts.push(await ledger.openAccount(spec))
    }
    const expected = new Map<string, bigint>(accounts.map(({ id }) => [id, 0n]))
    const move = (account: LedgerAccount, amount: bigint): void => {
      expected.set(account.id, expected.get(account.id)! + amount)
    }
    const free = Array.from({ length: SLOTS }, (_, slot) => slot)
    const committing = new Set<number>()
    ledger.listener = {
      reserved: () => undefined,
      committed: (slot) => {
        expect(committing.delete(slot)).toBe(true)
        free.push(slot)
      },
    }
    const reserved: { slot: number; payer: LedgerAccount; payee: LedgerAccount; amount: number }[] = []
    const settlements: Promise<void>[] = []

    const settle = async (entry: SettlementEntry, direction: 'in' | 'out'): Promise<void> => {
      if (direction === 'in') {
        await untilAnswered(() => ledger.settleIn(entry))
        return
      }
      try {
        await untilAnswered(() => ledger.holdSettlement(entry))
      } catch (error) {
        expect(String(error)).toMatch(/nothing is held/)
        return
      }
      if (random.below(2) === 0) await untilAnswered(() => ledger.voidSettlement(entry.id))
      else {
        await untilAnswered(() => ledger.postSettlement(entry.id))
        move(entry.account, -entry.amount)
      }
    }

    for (let step = 0; step < STEPS; step++) {
      const roll = random.below(1000)
      const payer = random.pick(accounts)
      const payee = random.pick(accounts)
      if (roll < 500 && free.length > 0) {
        const slot = free.shift()!
        const amount = random.below(300)
        const outcome = ledger.reserve(slot, payer, payee, amount, amount)
        if (outcome === ReserveOutcome.reserved) reserved.push({ slot, payer, payee, amount })
        else free.push(slot)
      } else if (roll < 900 && reserved.length > 0) {
        const [packet] = reserved.splice(random.below(reserved.length), 1)
        const { slot, amount } = packet!
        if (random.below(4) === 0) {
          ledger.release(slot)
          free.push(slot)
          continue
        }
        committing.add(slot)
        ledger.commit(slot)
        move(packet!.payee, BigInt(amount))
        if (random.below(10) === 0) ledger.abandon(slot)
        else move(packet!.payer, BigInt(-amount))
      } else if (roll < 920) {
        const entry = { id: `s${step}`, account: payer, engine: 'evm', amount: BigInt(1 + random.below(200)) }
        const direction = random.pick(['in', 'out'] as const)
        if (direction === 'in') move(payer, entry.amount)
        settlements.push(settle(entry, direction))
      } else if (roll < 940) {
        await random.pick([store.hang, store.unreachable, store.loseAnswers])()
      } else if (roll < 980) {
        await store.heal()
        void ledger.probe()
      } else {
        await delay(1)
      }
    }
    await store.heal()
    for (const { slot } of reserved) ledger.release(slot)
    const healing = setInterval(() => void ledger.probe(), 5)
    await Promise.all(settlements)
    await waitFor('all commits', () => committing.size === 0)
    await waitFor('memory', () => accounts.every(({ id, balance }) => BigInt(balance) === expected.get(id)))
    clearInterval(healing)
    const books = new Map((await ledger.balances()).map(({ id, kind, ...rest }) => [`${kind} ${id}`, rest]))
    for (const { id, reserved, outgoing } of accounts) {
      expect(`${id} ${books.get(`clearing ${id}`)?.balance}`).toBe(`${id} ${expected.get(id)}`)
      expect(books.get(`clearing ${id}`)?.debitsPending).toBe(0n)
      expect([reserved, outgoing]).toEqual([0, 0])
    }
    await expectBalanced(ledger)
    expect(faults).toEqual([])
    // What memory still holds back would show here.
    const rich = accounts[3]!
    const room = BigInt(rich.balance) + BigInt(rich.creditLimit)
    expect(ledger.reserve(0, rich, accounts[0]!, room, room)).toBe(ReserveOutcome.reserved)
  } finally {
    await ledger.stop()
    await rm(directory, { recursive: true, force: true })
  }
})

/** Repeats a call whose outcome is unknown until it is known. */
async function untilAnswered(call: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    try {
      await call()
      return
    } catch (error) {
      if (!(error instanceof LedgerUnavailableError)) throw error
      await delay(2)
    }
  }
  throw new Error('the call was never answered')
}
