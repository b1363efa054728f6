import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import type { Delivery, DeliveryTable } from './delivery-table.ts'
import { type RetryPolicy, retryDelayMs } from './retry-policy.ts'

/** Longest text of a problem that is kept with a delivery, characters. */
const PROBLEM_LENGTH_MAX = 500
/** After a failure of the journal itself, milliseconds. */
const JOURNAL_PAUSE_MS = 1_000
/** Failures after which a delivery that is still not made is an error and no longer a warning. */
const FAILURES_BEFORE_ALARM = 5

/** A delivery was not made and must be repeated. `notBeforeMs`: the other side asked for a pause of that length. */
export class DeliveryFailure extends Error {
  override readonly name = 'DeliveryFailure'
  readonly notBeforeMs: number | undefined
  /** Nothing that time alone will heal. */
  readonly alarm: boolean
  constructor(message: string, options: { notBeforeMs?: number | undefined; alarm?: boolean } = {}) {
    super(message)
    this.notBeforeMs = options.notBeforeMs
    this.alarm = options.alarm ?? false
  }
}

export interface DeliveryQueueOptions {
  /** What is delivered, for the log. */
  readonly what: string
  /** How many are under way at once. */
  readonly concurrency: number
  readonly retry: RetryPolicy
}

export interface DeliveryQueueDeps {
  readonly table: DeliveryTable
  /** Makes one delivery and stores that it is made. Rejects to have it repeated. Must end when the signal aborts. */
  readonly deliver: (delivery: Delivery, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** Makes every delivery of a table, again and again until it is made, a few at a time. */
export class DeliveryQueue {
  readonly #options: DeliveryQueueOptions
  readonly #deps: DeliveryQueueDeps
  readonly #underWay = new Map<string, Promise<void>>()
  #abort: AbortController | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: DeliveryQueueOptions, deps: DeliveryQueueDeps) {
    this.#options = options
    this.#deps = deps
  }

  start(): void {
    this.#abort = new AbortController()
    this.#deps.table.hurry()
    this.wake()
  }

  /** Ends what is under way; all of it is taken up by the next start. */
  async stop(): Promise<void> {
    this.#abort?.abort(new Error('stopped'))
    this.#abort = undefined
    clearTimeout(this.#timer)
    await Promise.allSettled(this.#underWay.values())
  }

  /** To be called when something was added. */
  wake(): void {
    const abort = this.#abort
    if (abort === undefined) return
    clearTimeout(this.#timer)
    const { table, clock, logger } = this.#deps
    const { concurrency, retry } = this.#options
    try {
      if (this.#underWay.size >= concurrency) return
      const nowMs = clock.now()
      // As many as may be under way: those that are stand among the due ones.
      for (const delivery of table.due(nowMs, retry.maxMs, concurrency)) {
        if (this.#underWay.size >= concurrency) return
        if (!this.#underWay.has(delivery.id)) this.#begin(delivery, abort.signal)
      }
      const nextMs = table.nextAfter(nowMs)
      if (nextMs !== undefined) this.#wakeIn(Math.min(Math.max(nextMs - nowMs, 1), retry.maxMs))
    } catch (error) {
      logger.error('journal cannot be read', { what: this.#options.what, reason: String(error) })
      this.#wakeIn(JOURNAL_PAUSE_MS)
    }
  }

  #wakeIn(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.wake(), delayMs)
    this.#timer.unref()
  }

  #begin(delivery: Delivery, signal: AbortSignal): void {
    const run = this.#attempt(delivery, signal).then((healthy) => {
      this.#underWay.delete(delivery.id)
      if (healthy) this.wake()
      else if (this.#abort !== undefined) this.#wakeIn(JOURNAL_PAUSE_MS)
    })
    this.#underWay.set(delivery.id, run)
  }

  /** False when not even the failure could be stored. */
  async #attempt(delivery: Delivery, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#deps.deliver(delivery, signal)
      return true
    } catch (error) {
      if (signal.aborted) return true
      return this.#failed(delivery, error)
    }
  }

  #failed(delivery: Delivery, error: unknown): boolean {
    const { table, clock, logger, random } = this.#deps
    const { what, retry } = this.#options
    const failures = delivery.failures + 1
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, PROBLEM_LENGTH_MAX)
    const asked = error instanceof DeliveryFailure ? (error.notBeforeMs ?? 0) : 0
    const pauseMs = Math.min(Math.max(retryDelayMs(retry, failures, random()), asked), retry.maxMs)
    const alarm = failures >= FAILURES_BEFORE_ALARM || (error instanceof DeliveryFailure && error.alarm)
    const fields = { what, id: delivery.id, failures, pauseMs, reason }
    if (alarm) logger.error('delivery failed and will be repeated', fields)
    else logger.warn('delivery failed and will be repeated', fields)
    try {
      table.postpone(delivery.id, clock.now() + pauseMs, reason)
      return true
    } catch (cause) {
      logger.error('journal cannot be written', { what, reason: String(cause) })
      return false
    }
  }
}
