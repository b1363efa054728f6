import type { Amount } from '../../src/ilp/amount.ts'
import { type Ledger, type LedgerAccount, ReserveOutcome } from '../../src/ledger/ledger.ts'
import { waitFor } from './wait-for.ts'

/** Slots every ledger under test must have. */
export const SLOTS = 4096

/** Plays the forwarder: hands out slots, waits for `pending` reservations, records what the ledger says. */
export class LedgerDriver {
  readonly ledger: Ledger
  /** Slots told as committed, in order; a slot told twice appears twice. */
  readonly committed: number[] = []
  readonly #free: number[] = Array.from({ length: SLOTS }, (_, slot) => slot)
  readonly #reserving = new Map<number, (outcome: ReserveOutcome) => void>()

  constructor(ledger: Ledger) {
    this.ledger = ledger
    ledger.listener = {
      reserved: (slot, outcome) => {
        const resolve = this.#reserving.get(slot)
        if (resolve === undefined) throw new Error(`reserved(${slot}) was told without being asked`)
        this.#reserving.delete(slot)
        if (outcome !== ReserveOutcome.reserved) this.#free.push(slot)
        resolve(outcome)
      },
      committed: (slot) => {
        this.committed.push(slot)
        this.#free.push(slot)
      },
    }
  }

  /** Reserves in a slot of its own; the answer may come later (shared mode). */
  async reserve(
    payer: LedgerAccount,
    payee: LedgerAccount,
    inAmount: Amount,
    outAmount: Amount,
  ): Promise<{ slot: number; outcome: ReserveOutcome }> {
    const slot = this.#free.shift()
    if (slot === undefined) throw new Error('the test uses more slots than there are')
    const answer = new Promise<ReserveOutcome>((resolve) => this.#reserving.set(slot, resolve))
    const outcome = this.ledger.reserve(slot, payer, payee, inAmount, outAmount)
    if (outcome === ReserveOutcome.pending) return { slot, outcome: await answer }
    this.#reserving.delete(slot)
    if (outcome !== ReserveOutcome.reserved) this.#free.push(slot)
    return { slot, outcome }
  }

  /** As `reserve`, for a packet that must find room. */
  async mustReserve(
    payer: LedgerAccount,
    payee: LedgerAccount,
    inAmount: Amount,
    outAmount: Amount,
  ): Promise<number> {
    const { slot, outcome } = await this.reserve(payer, payee, inAmount, outAmount)
    if (outcome !== ReserveOutcome.reserved) throw new Error(`reserve answered ${outcome}`)
    return slot
  }

  release(slot: number): void {
    this.ledger.release(slot)
    this.#free.push(slot)
  }

  /** How often `slot` was told as committed. */
  timesCommitted(slot: number): number {
    return this.committed.filter((told) => told === slot).length
  }

  /** Commits and waits for the ledger's word. */
  async commit(slot: number): Promise<void> {
    const before = this.timesCommitted(slot)
    this.ledger.commit(slot)
    await this.untilCommitted(slot, before)
  }

  async untilCommitted(slot: number, before = 0): Promise<void> {
    await waitFor(`slot ${slot} to be committed`, () => this.timesCommitted(slot) > before, 20_000)
  }

  /** A whole packet: reserved, fulfilled, booked. */
  async pay(payer: LedgerAccount, payee: LedgerAccount, inAmount: Amount, outAmount: Amount): Promise<void> {
    await this.commit(await this.mustReserve(payer, payee, inAmount, outAmount))
  }
}
