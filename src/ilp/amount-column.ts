import type { Amount } from './amount.ts'

/** Exact amounts by slot: doubles for the safe ones, a sparse map for those beyond 2^53. */
export class AmountColumn {
  readonly #numbers: Float64Array
  readonly #wide = new Map<number, bigint>()

  constructor(capacity: number) {
    this.#numbers = new Float64Array(capacity)
  }

  set(slot: number, amount: Amount): void {
    if (typeof amount === 'number') {
      this.#numbers[slot] = amount
      return
    }
    this.#numbers[slot] = Number.NaN
    this.#wide.set(slot, amount)
  }

  get(slot: number): Amount {
    const amount = this.#numbers[slot]!
    return Number.isNaN(amount) ? this.#wide.get(slot)! : amount
  }

  clear(slot: number): void {
    if (Number.isNaN(this.#numbers[slot]!)) this.#wide.delete(slot)
    this.#numbers[slot] = 0
  }
}
