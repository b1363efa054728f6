export interface Flushable {
  flush(): void
}

/** What is to be done once at the end of this turn of the event loop: above all, one write per connection. */
export class FlushQueue {
  #waiting: Flushable[] = []
  #spare: Flushable[] = []
  #scheduled = false
  readonly #run = () => this.#flushAll()

  /** The caller sees to it that it stands here at most once. */
  add(work: Flushable): void {
    this.#waiting.push(work)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  #flushAll(): void {
    const batch = this.#waiting
    this.#waiting = this.#spare
    this.#spare = batch
    this.#scheduled = false
    for (const work of batch) work.flush()
    batch.length = 0
  }
}
