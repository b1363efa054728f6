import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LedgerAccount, ReserveOutcome } from '../../../src/ledger/ledger.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { addQuantities, convertQuantity } from '../../../src/settlement/quantity.ts'
import { Reconciliation } from '../../../src/settlement/reconciliation.ts'
import type { SettlementTerms } from '../../../src/settlement/settlement-terms.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'
import { ScriptedEngine } from '../../support/scripted-engine.ts'
import { waitFor } from '../../support/wait-for.ts'
import { FakeClock, SettlementRig, TestBooks } from './settlement-rig.ts'

const STEPS = 150
const SLOTS = 16
const ROUNDS_MAX = 60
const HOUR_MS = 3_600_000
const YEAR_MS = 8_760 * HOUR_MS
/** Finer than every scale in these histories. */
const FINE = 18

let books: TestBooks

beforeAll(async () => {
  books = await TestBooks.open()
})

afterAll(async () => {
  await books.close()
})

/** One account, two engines, a peer and an operator, who do whatever they like, also at the same time. */
class History {
  readonly random: SeededRandom
  readonly #name: string
  readonly #clock = new FakeClock()
  readonly #flying = new Map<number, number>()
  readonly #terms: Partial<SettlementTerms>[]
  readonly #engineScale: number
  readonly #account: LedgerAccount
  readonly #carol: LedgerAccount
  readonly log: string[] = []
  rig!: SettlementRig
  other!: ScriptedEngine
  #now: Partial<SettlementTerms> | undefined
  #spent = 0n
  #owed = 0n
  #credits = 0

  private constructor(seed: number, account: LedgerAccount, carol: LedgerAccount) {
    this.random = new SeededRandom(seed)
    this.#account = account
    this.#carol = carol
    this.#name = books.unique(`history-${seed}`)
    this.#engineScale = this.random.pick([6, 9, 18])
    const unit = 1_000n
    this.#terms = ['scripted', 'other'].flatMap((engine) => [
      { engine, threshold: 5n * unit, settleTo: 0n },
      { engine, threshold: 3n * unit, settleTo: unit, maxAmount: 2n * unit },
      { engine, threshold: 9n * unit, settleTo: 0n, minAmount: unit, intervalMs: 60_000 },
      { engine, threshold: 2n * unit, settleTo: 7n, paused: true },
    ])
    this.#now = this.random.pick(this.#terms)
  }

  static async begin(seed: number): Promise<History> {
    const [account, carol] = [await books.account(9, 0n), await books.account(9, 0n)]
    const history = new History(seed, account, carol)
    await books.ledger.setCreditLimit(account, BigInt(history.random.pick([0, 0, 700, 5_000])))
    await history.#start()
    return history
  }

  async step(): Promise<void> {
    const many = this.random.below(5) === 0 ? 1 + this.random.below(4) : 1
    await Promise.allSettled(Array.from({ length: many }, () => this.#act()))
    this.rig.coordinator.balanceChanged(this.#account.id)
    await this.rig.pass(this.random.below(20_000))
    await this.#checkLimit()
  }

  /** Everything ends: nobody interferes any more. */
  async rest(): Promise<void> {
    for (const slot of this.#flying.keys()) books.ledger.release(slot)
    this.#flying.clear()
    this.#now = { engine: 'scripted', threshold: 1_000_000_000n }
    await this.rig.add(this.#account, this.#now)
    this.rig.coordinator.resume(this.#account.id)
    for (const engine of this.#engines) {
      engine.answers.length = 0
      engine.outcome = () => 'settled'
      // Orders that it has not heard of are handed over while it serves the account.
      await engine.openAccount({ ...this.#engineAccount() })
    }
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await this.rig.pass(HOUR_MS)
      for (const engine of this.#engines) await engine.carryOut()
      const isOpen = this.rig.journal.outgoing.open(this.#account.id).length > 0
      if (!isOpen && this.#engines.every(({ allTold }) => allTold) && !this.rig.coordinator.credits.hasOpen)
        return
    }
    const open = this.rig.journal.outgoing.open(this.#account.id)
    throw new Error(`not at rest: ${open.map(({ engine, state }) => `${engine} ${state}`)}`)
  }

  async checkMoney(): Promise<void> {
    const orders = this.rig.journal.outgoing.page({
      accountId: this.#account.id,
      before: undefined,
      limit: 1_000,
    })
    const ends = orders.map(
      ({ engine, id, quantity, state }) => `${engine} ${id} ${quantity.amount} ${state}`,
    )
    const inEngines = this.#engines.flatMap((engine) =>
      Object.entries(engine.orders).map(([id, one]) => `${engine.name} ${id} ${one.amount} ${one.state}`),
    )
    const unheard = ends.filter((end) => !inEngines.includes(end))
    expect(inEngines.filter((end) => !ends.includes(end))).toEqual([])
    expect(unheard.every((end) => end.endsWith('refused'))).toBe(true)
    const paid = orders.reduce((sum, { amount, state }) => (state === 'settled' ? sum + amount : sum), 0n)
    for (const { amount, assetScale, quantity } of orders) {
      expect(convertQuantity(quantity, FINE).amount).toBe(
        convertQuantity({ amount, scale: assetScale }, FINE).amount,
      )
    }
    let received = 0n
    for (const { name } of this.#engines) {
      let told = { amount: 0n, scale: FINE }
      let booked = 0n
      for (const entry of this.rig.journal.page({
        accountId: this.#account.id,
        direction: 'in',
        limit: 1_000,
      })) {
        if (entry.direction !== 'in' || entry.credit.engine !== name) continue
        expect(entry.credit.state).toBe('booked')
        told = addQuantities(told, entry.credit.quantity)
        booked += entry.credit.booked?.amount ?? 0n
      }
      const remainder = this.rig.journal.credits.remainder(name, this.#account)
      expect(remainder.amount).toBeLessThan(10n ** BigInt(Math.max(remainder.scale - 9, 0)))
      const all = addQuantities({ amount: booked, scale: 9 }, remainder)
      expect(convertQuantity(told, FINE).amount).toBe(convertQuantity(all, FINE).amount)
      received += booked
    }
    const { balance, debitsPending } = await books.booked(this.#account)
    expect([balance, debitsPending]).toEqual([this.#owed + received - this.#spent - paid, 0n])
    const { discrepancies, unchecked } = await this.#reconciliation().check()
    expect([discrepancies, unchecked]).toEqual([[], []])
    const { contradiction, conflict, books: broken } = this.rig.alarms.counts
    expect({ contradiction, conflict, broken }).toEqual({ contradiction: 0, conflict: 0, broken: 0 })
  }

  async end(): Promise<void> {
    for (const slot of this.#flying.keys()) books.ledger.release(slot)
    await this.other.stop()
    await this.rig.stop()
  }

  get #engines(): ScriptedEngine[] {
    return [this.rig.engine, this.other]
  }

  async #start(): Promise<void> {
    this.rig = new SettlementRig(books, {
      name: this.#name,
      clock: this.#clock,
      engineScale: this.#engineScale,
      handOverDeadlineMs: 20,
    })
    this.other = new ScriptedEngine(
      { path: join(books.directory, `${this.#name}.other.json`), name: 'other', scale: this.#engineScale },
      { host: this.rig.coordinator.host('other') },
    )
    for (const engine of this.#engines) {
      engine.outcome = (id) => {
        const roll = Number.parseInt(id.slice(-2), 16)
        return roll < 60 ? 'refused' : roll < 120 && this.random.below(3) > 0 ? 'open' : 'settled'
      }
    }
    await this.other.start()
    const accounts = this.#now === undefined ? [] : [{ account: this.#account, terms: this.#now }]
    await this.rig.start(accounts)
    await this.rig.coordinator.addEngine(this.other)
  }

  async #act(): Promise<void> {
    const { coordinator } = this.rig
    const { id } = this.#account
    const acts: Record<string, () => Promise<unknown> | unknown> = {
      owe: async () => {
        const amount = BigInt(1 + this.random.below(4_000))
        this.#owed += amount
        await books.owe(this.#account, amount)
      },
      packet: () => this.#packet(),
      'packet again': () => this.#packet(),
      now: () =>
        coordinator.settleNow(id, this.random.below(2) === 0 ? undefined : BigInt(this.random.below(3_000))),
      pause: () => coordinator.pause(id, 'to see'),
      resume: () => coordinator.resume(id),
      terms: async () => {
        this.#now = this.random.pick(this.#terms)
        await this.rig.add(this.#account, this.#now)
      },
      remove: async () => {
        this.#now = undefined
        await coordinator.removeAccount(id)
      },
      'carry out': () => this.random.pick(this.#engines).carryOut(),
      'carry out other': () => this.random.pick(this.#engines).carryOut(),
      'pay in': async () => {
        const engine = this.random.pick(this.#engines)
        engine.payIn({
          id: `${this.#name}-${this.#credits++}`,
          accountId: this.random.pick([id, id, 'nobody', undefined]),
          assetCode: 'XRP',
          quantity: {
            amount: BigInt(1 + this.random.below(1_000_000)),
            scale: this.random.pick([6, 9, 12, 18]),
          },
          sender: undefined,
        })
        await engine.tellAll()
      },
      attribute: () => this.#attribute(),
      restart: async () => {
        if (this.random.below(3) > 0) return
        await this.other.stop()
        await this.rig.stop()
        await this.#start()
      },
      'bad answer': () => {
        const answer = this.random.pick(['unavailable', 'taken-unheard', 'taken-silent'] as const)
        this.random.pick(this.#engines).answers.push(answer)
      },
      clock: () => {
        this.#clock.nowMs += this.random.pick([-YEAR_MS, YEAR_MS, -1_000, HOUR_MS])
      },
    }
    const name = this.random.pick(Object.keys(acts))
    this.log.push(name)
    await acts[name]!()
  }

  async #packet(): Promise<void> {
    const slot = this.random.below(SLOTS)
    const amount = this.#flying.get(slot)
    if (amount === undefined) {
      const wanted = 1 + this.random.below(3_000)
      const outcome = books.ledger.reserve(slot, this.#account, this.#carol, wanted, wanted)
      if (outcome === ReserveOutcome.reserved) this.#flying.set(slot, wanted)
      return
    }
    this.#flying.delete(slot)
    if (this.random.below(3) === 0) return books.ledger.release(slot)
    this.#spent += BigInt(amount)
    books.ledger.commit(slot)
    await waitFor('the packet', () => BigInt(this.#carol.balance) === this.#spent)
  }

  async #attribute(): Promise<void> {
    const page = this.rig.journal.page({ direction: 'in', state: 'suspended', limit: 1_000 })
    if (page.length === 0) return
    const entry = this.random.pick(page)
    if (entry.direction === 'out') return
    const { engine, id } = entry.credit
    await this.rig.coordinator.attribute(engine, id, this.#account.id)
  }

  async #checkLimit(): Promise<void> {
    const { balance, debitsPending } = await books.booked(this.#account)
    const flying = [...this.#flying.values()].reduce((sum, one) => sum + BigInt(one), 0n)
    expect(balance - debitsPending - flying).toBeGreaterThanOrEqual(-BigInt(this.#account.creditLimit))
  }

  #engineAccount() {
    const { assetCode, assetScale, id } = this.#account
    return { id, assetCode, assetScale, ownAddress: 'test.us', peerAddress: undefined, options: {} }
  }

  #reconciliation(): Reconciliation {
    return new Reconciliation(
      { pendingIsHeld: true, confirmMs: 1 },
      {
        journal: this.rig.journal,
        ledger: this.rig.ledger,
        accounts: () => this.rig.coordinator.settledAccounts,
        engine: (name) => this.rig.coordinator.engine(name),
        clock: this.#clock,
        logger: silentLogger,
        alarms: this.rig.alarms,
        difference: () => undefined,
        unchecked: () => undefined,
      },
    )
  }
}

const SEEDS = [1, 2, 3, 4, 5, 6]

describe('any history of an account, its engines and its operator', () => {
  it.each(SEEDS)(
    'loses nothing, doubles nothing and passes no limit, seed %d',
    async (seed) => {
      const history = await History.begin(seed)
      try {
        for (let step = 0; step < STEPS; step++) await history.step()
        await history.rest()
        await history.checkMoney()
      } catch (error) {
        throw new Error(`seed ${seed}, after ${history.log.slice(-12).join(', ')}`, { cause: error })
      } finally {
        await history.end()
      }
    },
    60_000,
  )
})
