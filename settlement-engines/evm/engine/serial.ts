/** Runs work under one name in turn; different names do not wait for each other. */
export class Serial {
  readonly #tails = new Map<string, Promise<unknown>>()

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name) ?? Promise.resolve()
    const own = before.then(work, work)
    const tail = own.catch(() => undefined)
    this.#tails.set(name, tail)
    try {
      return await own
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name)
    }
  }
}
