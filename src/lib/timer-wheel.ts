import assert from 'node:assert'

/** Milliseconds per bucket: how late an expiry may fire. */
const TICK_MS = 10
/** Power of two; 4096 buckets of 10 ms cover 41 s, longer deadlines go round again. */
const BUCKETS = 4096
const NONE = -1

/**
 * Deadlines of a fixed set of entries (0 to capacity - 1), each at most once in the wheel. Scheduling and cancelling
 * cost a few array writes and allocate nothing; one timer runs while the wheel is not empty.
 */
export class TimerWheel {
  readonly #next: Int32Array
  readonly #previous: Int32Array
  /** Bucket of each entry, or NONE. */
  readonly #bucket: Int32Array
  readonly #deadlineMs: Float64Array
  readonly #heads = new Int32Array(BUCKETS).fill(NONE)
  readonly #now: () => number
  readonly #expired: (entry: number) => void
  #size = 0
  #tick = 0
  #timer: NodeJS.Timeout | undefined

  /** @param expired called with each entry whose deadline has passed, after it left the wheel */
  constructor(options: { capacity: number }, deps: { now: () => number; expired: (entry: number) => void }) {
    this.#next = new Int32Array(options.capacity)
    this.#previous = new Int32Array(options.capacity)
    this.#bucket = new Int32Array(options.capacity).fill(NONE)
    this.#deadlineMs = new Float64Array(options.capacity)
    this.#now = deps.now
    this.#expired = deps.expired
  }

  get size(): number {
    return this.#size
  }

  /** Fires at the first tick at or after `deadlineMs`. The entry must not be in the wheel. */
  schedule(entry: number, deadlineMs: number): void {
    assert(this.#bucket[entry] === NONE, 'entry is already scheduled')
    if (this.#timer === undefined) this.#startTicking()
    this.#deadlineMs[entry] = deadlineMs
    this.#insert(entry)
    this.#size++
  }

  /** Takes the entry out; harmless when it is not in. */
  cancel(entry: number): void {
    if (this.#bucket[entry] === NONE) return
    this.#remove(entry)
    this.#size--
  }

  /** Fires everything that is due. Called by the wheel's own timer, and by tests with a clock of their own. */
  advance(): void {
    const target = Math.floor(this.#now() / TICK_MS)
    // After a long pause one round over all buckets sees every entry.
    const first = Math.max(this.#tick, target - BUCKETS)
    for (let tick = first + 1; tick <= target && this.#size > 0; tick++) this.#visit(tick & (BUCKETS - 1))
    this.#tick = Math.max(this.#tick, target)
    // Not at the cancellation of the last one: with one packet in flight a timer would be made for each.
    if (this.#size === 0) this.stop()
  }

  /** Stops the timer; entries stay and fire when something is scheduled or `advance` is called. */
  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #startTicking(): void {
    this.#tick = Math.max(this.#tick, Math.floor(this.#now() / TICK_MS) - 1)
    this.#timer = setInterval(() => this.advance(), TICK_MS)
    this.#timer.unref()
  }

  #visit(bucket: number): void {
    const now = this.#now()
    let entry = this.#heads[bucket]!
    while (entry !== NONE) {
      const next = this.#next[entry]!
      if (this.#deadlineMs[entry]! <= now) {
        this.cancel(entry)
        this.#expired(entry)
        // The callback may have changed this bucket's list: begin again.
        entry = this.#heads[bucket]!
      } else {
        entry = next
      }
    }
  }

  #insert(entry: number): void {
    // Never a tick that has been visited already: a deadline in the past fires at the next one.
    const tick = Math.max(Math.ceil(this.#deadlineMs[entry]! / TICK_MS), this.#tick + 1)
    const bucket = tick & (BUCKETS - 1)
    const head = this.#heads[bucket]!
    this.#next[entry] = head
    this.#previous[entry] = NONE
    if (head !== NONE) this.#previous[head] = entry
    this.#heads[bucket] = entry
    this.#bucket[entry] = bucket
  }

  #remove(entry: number): void {
    const next = this.#next[entry]!
    const previous = this.#previous[entry]!
    if (previous === NONE) this.#heads[this.#bucket[entry]!] = next
    else this.#next[previous] = next
    if (next !== NONE) this.#previous[next] = previous
    this.#bucket[entry] = NONE
  }
}
