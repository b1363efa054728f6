import { Pool } from 'undici'
import type { Clock } from '../../src/lib/clock.ts'

/** Pauses between tries: the first, and the longest. Packets live for seconds. Milliseconds. */
const PAUSE_MIN_MS = 100
const PAUSE_MAX_MS = 2_000
/** Deadline of one try: long enough for a slow peer, short enough for several tries before the expiry. Milliseconds. */
const TRY_TIMEOUT_MAX_MS = 5_000
const TRY_TIMEOUT_MIN_MS = 250
/** Connections per callback origin. */
const CONNECTIONS = 64
/** How long `stop` waits for replies under way, milliseconds. */
const STOP_GRACE_MS = 2_000
/** Bytes of a callback's response that are read to keep the connection. */
const RESPONSE_LENGTH_MAX = 16_384

export interface Callback {
  url: string
  requestId: string
  /** The reply; the sender's own copy. */
  packet: Buffer
  contentType: string
  /** When the packet expires: no try begins after it. Milliseconds since the epoch. */
  deadlineMs: number
}

export interface CallbackSenderDeps {
  clock: Clock
  /** Uniform in [0, 1). */
  random: () => number
  /** The Authorization header to send, if any. */
  authorization: () => Promise<string | undefined>
  /** A reply did not reach the peer before its packet expired, or the peer refused it. */
  lost: (reason: string) => void
}

/**
 * POSTs replies to the callback of a peer (RFC 35, asynchronous mode). A try that finds no connection, no answer or a
 * 5xx is repeated with growing pauses until the packet expires; any other answer ends it. Repeating is harmless: the
 * peer counts the first reply only.
 */
export class CallbackSender {
  readonly #deps: CallbackSenderDeps
  readonly #ca: Buffer | undefined
  readonly #pools = new Map<string, Pool>()
  readonly #running = new Set<Promise<void>>()
  /** What `stop` interrupts: tries and pauses under way. */
  readonly #interrupts = new Set<() => void>()
  #stopped = false

  constructor(deps: CallbackSenderDeps, ca: Buffer | undefined) {
    this.#deps = deps
    this.#ca = ca
  }

  /** Begins to deliver. The number at once is bounded by the open requests of the peer. */
  send(callback: Callback): void {
    if (this.#stopped) return
    const delivery = this.#deliver(callback)
      .catch((error: unknown) => this.#deps.lost(error instanceof Error ? error.message : 'unknown error'))
      .finally(() => this.#running.delete(delivery))
    this.#running.add(delivery)
  }

  /** Lets deliveries under way finish for a moment, then ends them. */
  async stop(): Promise<void> {
    if (this.#running.size > 0) {
      let timer: NodeJS.Timeout | undefined
      const grace = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_GRACE_MS)
      })
      await Promise.race([Promise.allSettled(this.#running), grace])
      clearTimeout(timer)
    }
    this.#stopped = true
    for (const interrupt of [...this.#interrupts]) interrupt()
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()))
    this.#pools.clear()
  }

  async #deliver(callback: Callback): Promise<void> {
    const { clock, random } = this.#deps
    let pauseMs = PAUSE_MIN_MS
    let reason = 'the packet had expired'
    while (clock.now() < callback.deadlineMs && !this.#stopped) {
      try {
        const status = await this.#try(callback)
        if (status < 300) return
        if (status < 500) return this.#deps.lost(`the peer refused the reply with HTTP ${status}`)
        reason = `HTTP ${status}`
      } catch (error) {
        reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
      }
      const leftMs = callback.deadlineMs - clock.now()
      await this.#pause(Math.min(pauseMs * (0.5 + random() / 2), Math.max(leftMs, 0)))
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)
    }
    this.#deps.lost(`the reply could not be delivered before its packet expired: ${reason}`)
  }

  /** One POST; the status of its response. */
  async #try(callback: Callback): Promise<number> {
    const url = new URL(callback.url)
    const leftMs = callback.deadlineMs - this.#deps.clock.now()
    const timeoutMs = Math.max(TRY_TIMEOUT_MIN_MS, Math.min(TRY_TIMEOUT_MAX_MS, leftMs / 3))
    const authorization = await this.#deps.authorization()
    const headers: Record<string, string> = {
      'content-type': callback.contentType,
      'request-id': callback.requestId,
    }
    if (authorization !== undefined) headers.authorization = authorization
    const controller = new AbortController()
    const interrupt = (): void => controller.abort(new Error('no answer in time'))
    const timer = setTimeout(interrupt, timeoutMs)
    this.#interrupts.add(interrupt)
    try {
      const response = await this.#pool(url.origin).request({
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        headers,
        body: callback.packet,
        headersTimeout: 0,
        bodyTimeout: 0,
        signal: controller.signal,
      })
      await response.body.dump({ limit: RESPONSE_LENGTH_MAX }).catch(() => undefined)
      return response.statusCode
    } finally {
      clearTimeout(timer)
      this.#interrupts.delete(interrupt)
    }
  }

  #pool(origin: string): Pool {
    let pool = this.#pools.get(origin)
    if (pool === undefined) {
      const connect = this.#ca === undefined ? {} : { connect: { ca: this.#ca } }
      pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1, ...connect })
      this.#pools.set(origin, pool)
    }
    return pool
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#interrupts.delete(end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      this.#interrupts.add(end)
    })
  }
}
