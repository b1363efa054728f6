import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { ApiError } from './api-error.ts'
import type { RouteReply } from './route.ts'
import { ServiceError } from './services.ts'
import { toJson } from './to-json.ts'

/** How long a key is remembered, while the process runs. */
const RETENTION_MS = 24 * 3_600_000
/** Keys that are remembered, some kilobyte each. At 60 payments a minute per caller this is hours of one caller. */
const ENTRIES_MAX = 10_000
const KEY_SHAPE = /^[\x21-\x7e]{1,128}$/

interface Entry {
  bodyHash: string
  reply: Promise<RouteReply>
  atMs: number
}

/**
 * Makes a repeated request harmless: the same `Idempotency-Key` of the same caller gives the reply of the first
 * request. Kept in memory, and after a restart a key is new again: payments end with the process, a settlement never pays
 * more than is owed, and a channel holds our own money.
 */
export class Idempotency {
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Runs `work` once per scope and key.
   * @param request.scope caller and route
   * @param request.body everything that the reply depends on
   * @throws ApiError when the key is malformed, was used with another request, or too many are remembered
   */
  once(
    request: { scope: string; key: string; body: unknown },
    work: () => Promise<RouteReply>,
  ): Promise<RouteReply> {
    if (!KEY_SHAPE.test(request.key)) {
      throw new ApiError(
        'VALIDATION_ERROR',
        'Idempotency-Key is 1 to 128 printable characters without spaces',
      )
    }
    const id = `${request.scope} ${request.key}`
    const bodyHash = createHash('sha256').update(toJson(request.body)).digest('base64')
    this.#forgetOld()
    const known = this.#entries.get(id)
    if (known !== undefined) {
      if (known.bodyHash === bodyHash) return known.reply
      throw new ApiError('CONFLICT', 'this Idempotency-Key was used for a request with another body or path')
    }
    if (this.#entries.size >= ENTRIES_MAX) {
      throw new ApiError('SERVICE_UNAVAILABLE', 'too many idempotency keys are in use; try again later')
    }
    const reply = work()
    this.#entries.set(id, { bodyHash, reply, atMs: this.#clock.now() })
    // What was refused has changed nothing: the same key may try again.
    reply.catch((error: unknown) => {
      if (error instanceof ServiceError) this.#entries.delete(id)
    })
    return reply
  }

  /** Entries stand in the order of their age. */
  #forgetOld(): void {
    const before = this.#clock.now() - RETENTION_MS
    for (const [id, entry] of this.#entries) {
      if (entry.atMs >= before) return
      this.#entries.delete(id)
    }
  }
}
