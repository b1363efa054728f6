/**
 * Lets the event loop go round between pieces of work, one piece each time: thousands of accounts may have something to
 * do at the same moment, each with writes to the store, and packets must not wait for all of them.
 */
export class Turns {
  /** As many as there are callers: each waits for its turn before it asks for another. */
  readonly #waiting: (() => void)[] = []

  /** Resolves when it is the caller's turn, in the order of the calls. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(() => this.#give())
    })
  }

  #give(): void {
    this.#waiting[0]!()
    this.#waiting.shift()
    if (this.#waiting.length > 0) setImmediate(() => this.#give())
  }
}
