/** Shortest time between two lines through one gate. */
const INTERVAL_MS = 1000

/** Lets one log line through per second and counts the others. */
export class LogGate {
  #lastMs = Number.NEGATIVE_INFINITY
  #suppressed = 0

  /** How many lines were held back since the last one, or undefined when this one must be held back too. */
  take(nowMs: number): number | undefined {
    if (nowMs - this.#lastMs < INTERVAL_MS) {
      this.#suppressed++
      return undefined
    }
    this.#lastMs = nowMs
    const suppressed = this.#suppressed
    this.#suppressed = 0
    return suppressed
  }
}
