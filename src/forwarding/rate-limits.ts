import type { Amount } from '../ilp/amount.ts'

/** Packets per second with a burst, by the generic cell rate algorithm: one number of state. */
export class PacketRate {
  #intervalMs: number
  #toleranceMs: number
  #arrivalMs = 0

  constructor(perSecond: number, burst: number) {
    this.#intervalMs = 1000 / perSecond
    this.#toleranceMs = burst * this.#intervalMs
  }

  /** Takes one packet at `nowMs`, or returns false and takes nothing. */
  take(nowMs: number): boolean {
    const from = Math.max(this.#arrivalMs, nowMs)
    if (from + this.#intervalMs - nowMs > this.#toleranceMs) return false
    this.#arrivalMs = from + this.#intervalMs
    return true
  }
}

/** Value per second: a bucket of one second's worth, refilled by the millisecond. Exact: it counts in thousandths. */
export class AmountRate {
  readonly #perSecond: bigint
  #thousandths: bigint
  #refilledAtMs: number

  constructor(perSecond: bigint, nowMs: number) {
    this.#perSecond = perSecond
    this.#thousandths = perSecond * 1000n
    this.#refilledAtMs = nowMs
  }

  /** Takes `amount` at `nowMs`, or returns false and takes nothing. */
  take(amount: Amount, nowMs: number): boolean {
    this.#refill(nowMs)
    const wanted = BigInt(amount) * 1000n
    if (wanted > this.#thousandths) return false
    this.#thousandths -= wanted
    return true
  }

  #refill(nowMs: number): void {
    const elapsedMs = nowMs - this.#refilledAtMs
    if (elapsedMs <= 0) return
    this.#refilledAtMs = nowMs
    const filled = this.#thousandths + this.#perSecond * BigInt(Math.min(elapsedMs, 1000))
    const full = this.#perSecond * 1000n
    this.#thousandths = filled > full ? full : filled
  }
}
