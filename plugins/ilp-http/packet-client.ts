import { readFileSync } from 'node:fs'
import { type Dispatcher, Pool } from 'undici'
import type { Clock } from '../../src/lib/clock.ts'
import { LinkConfigError } from '../../src/peers/link.ts'
import type { OutgoingOptions } from './options.ts'
import { OutgoingCredentials } from './outgoing-credentials.ts'
import type { PacketRequest } from './packet-request.ts'
import { PROBE_TIMEOUT_MS } from './reachability.ts'

/** How long after the expiry of its packet a response may still come before its connection is given up, milliseconds. */
export const LATE_RESPONSE_MS = 1_000
/** How long an idle connection is kept when the peer does not say: less than what common servers use. Milliseconds. */
const KEEP_ALIVE_MS = 4_000
const KEEP_ALIVE_MAX_MS = 600_000

/** What became of the requests, for the link. */
export interface PacketClientEvents {
  /** A whole response, 2xx to 5xx. `body` is valid during the call. */
  answered(request: PacketRequest, status: number, body: Buffer): void
  /** No whole response; the request tells how far it came. */
  broke(request: PacketRequest, reason: string): void
}

/**
 * POSTs packets to one peer over a bounded pool of keep-alive connections, one request per connection at a time. Requests
 * beyond that wait in a bounded queue of ours and are dropped there, unsent, when their packet expires. A request that
 * was given to a connection is never sent again. Redirects and proxies are not followed.
 */
export class PacketClient {
  readonly origin: string
  readonly #path: string
  readonly #options: OutgoingOptions
  readonly #credentials: OutgoingCredentials
  readonly #clock: Clock
  readonly #events: PacketClientEvents
  /** The authority that signed the certificate of the peer, when it is a private one. */
  readonly ca: Buffer | undefined
  #pool: Pool | undefined
  #waiting: PacketRequest[] = []
  #waitingHead = 0
  /** Given to connections; each knows its index. An array, because a Set with such a turnover burdens the collector. */
  readonly #running: PacketRequest[] = []
  #renewing = false
  readonly #fixedHeaders: string[]
  /** The fixed headers and the authorization used last: the same for many packets. */
  #headers: string[] = []
  #authorization: string | undefined

  /** @throws LinkConfigError when the credentials or the CA file are unusable */
  constructor(options: OutgoingOptions, allowShort: boolean, clock: Clock, events: PacketClientEvents) {
    const url = new URL(options.url)
    this.origin = url.origin
    this.#path = `${url.pathname}${url.search}`
    this.#options = options
    this.#credentials = new OutgoingCredentials(options, allowShort, clock)
    this.#clock = clock
    this.#events = events
    this.#fixedHeaders = ['content-type', options.contentType, 'accept', options.contentType]
    if (options.peerName !== undefined) this.#fixedHeaders.push('ilp-peer-name', options.peerName)
    if (options.callbackUrl !== undefined && options.mode === 'async')
      this.#fixedHeaders.push('callback-url', options.callbackUrl)
    if (options.caFile !== undefined) this.ca = readCa(options.caFile)
  }

  start(): void {
    this.#pool ??= new Pool(this.origin, {
      connections: this.#options.connections,
      pipelining: 1,
      connectTimeout: this.#options.connectTimeoutMs,
      // The expiry of each packet is its deadline: `sweep` keeps it.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
      allowH2: false,
      ...(this.ca === undefined ? {} : { connect: { ca: this.ca } }),
    })
    this.#renew()
  }

  /** Ends all connections; requests still open are reported as broken. */
  async stop(): Promise<void> {
    const pool = this.#pool
    this.#pool = undefined
    const waiting = this.#waiting.slice(this.#waitingHead)
    this.#waiting = []
    this.#waitingHead = 0
    for (const request of waiting) this.#events.broke(request, 'the link was stopped')
    await pool?.destroy()
  }

  /** Takes the request, or returns false when the queue is full. `body` must be the request's own. */
  send(request: PacketRequest): boolean {
    if (this.#running.length < this.#options.connections) {
      const authorization = this.#credentials.header()
      if (authorization !== undefined) {
        this.#dispatch(request, authorization)
        return true
      }
    }
    if (this.#waiting.length - this.#waitingHead >= this.#options.queueMax) return false
    this.#waiting.push(request)
    this.#pump()
    return true
  }

  /** Gives up what has expired. */
  sweep(nowMs: number): void {
    for (const request of [...this.#running])
      if (nowMs > request.expiresAtMs + LATE_RESPONSE_MS) request.abort('no answer before the packet expired')
    for (let i = this.#waitingHead; i < this.#waiting.length; i += 1) {
      const request = this.#waiting[i]!
      if (nowMs < request.expiresAtMs) continue
      this.#waiting.splice(i, 1)
      i -= 1
      this.#expire(request)
    }
  }

  /** Resolves at any HTTP response. */
  async probe(): Promise<void> {
    const pool = this.#pool
    if (pool === undefined) throw new Error('the link was stopped')
    try {
      const response = await pool.request({
        path: this.#path,
        method: 'OPTIONS',
        headersTimeout: PROBE_TIMEOUT_MS,
        bodyTimeout: PROBE_TIMEOUT_MS,
        signal: AbortSignal.timeout(PROBE_TIMEOUT_MS + this.#options.connectTimeoutMs),
      })
      await response.body.dump({ limit: 65_536 })
    } catch (error) {
      throw new Error(`no HTTP response from ${this.origin}: ${reasonOf(error)}`)
    }
  }

  /** The Authorization header, made now when need be; for callbacks. */
  async authorization(): Promise<string | undefined> {
    if (this.#credentials.header() === undefined) await this.#credentials.renew()
    return this.#credentials.header()
  }

  #dispatch(request: PacketRequest, authorization: string): void {
    if (authorization !== this.#authorization) {
      this.#authorization = authorization
      this.#headers = [...this.#fixedHeaders, 'authorization', authorization]
    }
    const headers =
      request.requestId === undefined ? this.#headers : [...this.#headers, 'request-id', request.requestId]
    request.index = this.#running.push(request) - 1
    request.onDone = this.#onDone
    const options: Dispatcher.DispatchOptions = {
      path: this.#path,
      method: 'POST',
      body: request.body,
      headers,
    }
    if (this.#pool === undefined) request.onError(new Error('the link was stopped'))
    else this.#pool.dispatch(options, request)
  }

  readonly #onDone = (request: PacketRequest): void => {
    const last = this.#running.pop()!
    if (last !== request) {
      this.#running[request.index] = last
      last.index = request.index
    }
    if (request.error === undefined) {
      if (request.status === 401) this.#credentials.discard()
      this.#events.answered(request, request.status, request.takeBody())
    } else {
      this.#events.broke(request, `no answer from ${this.origin}: ${reasonOf(request.error)}`)
    }
    if (this.#waiting.length > this.#waitingHead) this.#pump()
  }

  /** Sends what waits, as far as connections are free and there is a token. */
  #pump(): void {
    while (this.#waitingHead < this.#waiting.length && this.#running.length < this.#options.connections) {
      const authorization = this.#credentials.header()
      if (authorization === undefined) {
        this.#renew()
        return
      }
      const request = this.#waiting[this.#waitingHead]!
      this.#waitingHead += 1
      if (this.#clock.now() < request.expiresAtMs) this.#dispatch(request, authorization)
      else this.#expire(request)
    }
    if (this.#waitingHead > this.#options.queueMax / 2 || this.#waitingHead === this.#waiting.length) {
      this.#waiting.splice(0, this.#waitingHead)
      this.#waitingHead = 0
    }
  }

  #expire(request: PacketRequest): void {
    request.gaveUp = true
    this.#events.broke(request, 'the packet expired before a connection was free')
  }

  #renew(): void {
    if (this.#renewing || this.#credentials.header() !== undefined) return
    this.#renewing = true
    this.#credentials.renew().then(
      () => {
        this.#renewing = false
        this.#pump()
      },
      () => {
        // The key was checked when the link was opened; what waits expires, and the next packet tries again.
        this.#renewing = false
      },
    )
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code ?? message ?? 'unknown error'
}

function readCa(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new LinkConfigError('outgoing.caFile', `cannot be read: ${(error as Error).message}`)
  }
}
