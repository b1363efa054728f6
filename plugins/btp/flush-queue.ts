export interface Flushable {
  flush(): void
}

/** Gathers what was written during one turn of the event loop: each connection is flushed once, at its end. */
export class FlushQueue {
  #waiting: Flushable[] = []
  #spare: Flushable[] = []
  #scheduled = false
  readonly #run = () => this.#flushAll()

  /** The caller sees to it that it stands here at most once. */
  add(connection: Flushable): void {
    this.#waiting.push(connection)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  #flushAll(): void {
    const batch = this.#waiting
    this.#waiting = this.#spare
    this.#spare = batch
    this.#scheduled = false
    for (const connection of batch) connection.flush()
    batch.length = 0
  }
}
