/** When to try again after failures: after `firstMs`, then twice as long each time, at most `maxMs`. */
export class BackOff {
  readonly #firstMs: number
  readonly #maxMs: number
  #failures = 0
  #dueAtMs = 0

  constructor({ firstMs, maxMs }: { firstMs: number; maxMs: number }) {
    this.#firstMs = firstMs
    this.#maxMs = maxMs
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures
  }

  /** When the next attempt is due, milliseconds since the epoch; undefined when nothing has failed. */
  get dueAtMs(): number | undefined {
    return this.#failures === 0 ? undefined : this.#dueAtMs
  }

  isDue(nowMs: number): boolean {
    return this.#failures === 0 || nowMs >= this.#dueAtMs
  }

  failed(nowMs: number): void {
    const pauseMs = Math.min(this.#firstMs * 2 ** this.#failures, this.#maxMs)
    this.#failures++
    this.#dueAtMs = nowMs + pauseMs
  }

  succeeded(): void {
    this.#failures = 0
  }
}
