/** Changes that may wait for their turn; an operator makes a few at a time. */
const WAITING_MAX = 100

/** Runs actions one after another. */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** Rejects at once when too many wait already. */
  run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX)
      return Promise.reject(new Error(`more than ${WAITING_MAX} changes are waiting`))
    this.#waiting++
    const result = this.#last.then(action)
    const done = () => {
      this.#waiting--
    }
    this.#last = result.then(done, done)
    return result
  }
}
