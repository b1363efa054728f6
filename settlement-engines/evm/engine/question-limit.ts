import type { Clock } from '../../../src/lib/clock.ts'

/** Questions that an account may have at once: more than a peer needs that repeats a message until its channel is final. */
const BURST = 500
/** One more after this time. */
const REFILL_MS = 500

/** Bounds how often messages of one peer make this side ask the chain: nodes bill for it, and shut out who asks too often. */
export class QuestionLimit {
  readonly #clock: Clock
  /** When an account is at its full burst again; one entry per account that has asked. */
  readonly #fullMs = new Map<string, number>()

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock
  }

  /** @returns whether the account may ask once now */
  take(accountId: string): boolean {
    const now = this.#clock.now()
    const fullMs = Math.max(this.#fullMs.get(accountId) ?? now, now) + REFILL_MS
    if (fullMs - now > BURST * REFILL_MS) return false
    this.#fullMs.set(accountId, fullMs)
    return true
  }
}
