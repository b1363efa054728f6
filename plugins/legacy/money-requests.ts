/** Calls of `sendMoney` that the plugin has not answered; settlements are minutes apart. */
const OPEN_MAX = 100

interface Open {
  resolve: () => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

/** The calls of `sendMoney` under way in the thread of a plugin, each with its deadline. */
export class MoneyRequests {
  readonly #timeoutMs: number
  readonly #open = new Map<number, Open>()
  #lastId = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** @throws Error when too many are under way */
  add(): { id: number; done: Promise<void> } {
    if (this.#open.size >= OPEN_MAX)
      throw new Error('too many settlements are under way in the plugin: no money was sent')
    this.#lastId += 1
    const id = this.#lastId
    const done = new Promise<void>((resolve, reject) => {
      const onTimeout = (): void =>
        this.settle(id, `no answer within ${this.#timeoutMs} ms: whether money was sent is unknown`)
      this.#open.set(id, { resolve, reject, timer: setTimeout(onTimeout, this.#timeoutMs) })
    })
    return { id, done }
  }

  /** `error` undefined: the plugin says that the money was sent. */
  settle(id: number, error: string | undefined): void {
    const open = this.#open.get(id)
    if (open === undefined) return
    this.#open.delete(id)
    clearTimeout(open.timer)
    if (error === undefined) open.resolve()
    else open.reject(new Error(error))
  }

  failAll(reason: string): void {
    for (const id of [...this.#open.keys()]) this.settle(id, reason)
  }
}
