import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type { RequestKeys } from '../store/request-keys.ts'
import { ApiError } from './api-error.ts'
import { expectedError } from './replies.ts'
import type { RouteReply } from './route.ts'
import { toJson } from './to-json.ts'

/** How long a key is remembered. */
const RETENTION_MS = 24 * 3_600_000
/** Keys that are remembered, about a kilobyte each: more than a caller can use in a day at 60 a minute. */
const ENTRIES_MAX = 100_000
const KEY_SHAPE = /^[\x21-\x7e]{1,128}$/

interface KeyedCall {
  /** Caller and route. */
  scope: string
  key: string
  /** Everything that the reply depends on. */
  body: unknown
}

/**
 * Makes a repeated request harmless: the same `Idempotency-Key` of the same caller gives the reply of the first
 * request, also after a restart. A key is stored before its work begins; when the process ends in between, nobody knows
 * what the work has done, and the key says so rather than begin again.
 */
export class Idempotency {
  readonly #keys: RequestKeys
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #running = new Map<string, Promise<RouteReply>>()

  constructor(deps: { keys: RequestKeys; clock: Clock; logger: Logger }) {
    this.#keys = deps.keys
    this.#clock = deps.clock
    this.#logger = deps.logger
  }

  /**
   * Runs `work` once per scope and key.
   * @throws ApiError when the key is malformed, was used with another request, its outcome is not known, too many are
   * remembered, or none can be stored
   */
  async once(call: KeyedCall, work: () => Promise<RouteReply>): Promise<RouteReply> {
    if (!KEY_SHAPE.test(call.key)) {
      throw new ApiError(
        'VALIDATION_ERROR',
        'Idempotency-Key is 1 to 128 printable characters without spaces',
      )
    }
    const id = `${call.scope} ${call.key}`
    const bodyHash = createHash('sha256').update(toJson(call.body)).digest('base64')
    const now = this.#clock.now()
    this.#stored(() => this.#keys.removeBefore(now - RETENTION_MS))
    const known = this.#stored(() => this.#keys.get(id))
    if (known === undefined) {
      this.#remember(id, bodyHash, now)
      const reply = this.#run(id, work).finally(() => this.#running.delete(id))
      this.#running.set(id, reply)
      return await reply
    }
    if (known.bodyHash !== bodyHash) {
      throw new ApiError('CONFLICT', 'this Idempotency-Key was used for a request with another body or path')
    }
    const running = this.#running.get(id)
    if (running !== undefined) return await running
    if (known.reply !== undefined) return JSON.parse(known.reply) as RouteReply
    throw new ApiError(
      'OUTCOME_UNKNOWN',
      'a request with this Idempotency-Key was begun and its outcome is not known: look at what it was to change, and send it with another key if that did not happen',
    )
  }

  #remember(id: string, bodyHash: string, now: number): void {
    if (this.#stored(() => this.#keys.size) >= ENTRIES_MAX) {
      throw new ApiError('SERVICE_UNAVAILABLE', 'too many idempotency keys are in use; try again later')
    }
    this.#stored(() => this.#keys.add(id, bodyHash, now))
  }

  #stored<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      this.#logger.error('an Idempotency-Key cannot be stored', { error })
      throw new ApiError(
        'SERVICE_UNAVAILABLE',
        'the Idempotency-Key cannot be stored now: nothing was begun, try again later',
      )
    }
  }

  async #run(id: string, work: () => Promise<RouteReply>): Promise<RouteReply> {
    let reply: RouteReply
    try {
      reply = await work()
    } catch (error) {
      // What was refused has changed nothing: the same key may try again.
      if (expectedError(error) !== undefined) this.#write(id, () => this.#keys.remove(id))
      throw error
    }
    this.#write(id, () => this.#keys.answer(id, toJson(reply)))
    return reply
  }

  /** The work is done: its caller gets the outcome, even if later callers then do not. */
  #write(id: string, write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#logger.error('the outcome of a request with an Idempotency-Key cannot be stored', { id, error })
    }
  }
}
