import type { Clock } from '../../src/lib/clock.ts'
import { type Link, type LinkContext, type LinkStatus, SendOutcome } from '../../src/peers/link.ts'

/** Requests without an answer, each way: as many as the node ever has in flight over all links. */
const REQUESTS_OPEN_MAX = 65_536
/** How often requests that nobody will answer any more are let go, milliseconds. */
const SWEEP_INTERVAL_MS = 1_000
/** The node answers every packet by its expiry and holds none longer than five minutes; then the request is given up. */
const ANSWER_TIME_MAX_MS = 330_000

/** Takes an ILP packet, gives the reply to it. */
export type DataHandler = (packet: Buffer) => Promise<Buffer>

/** What the link asks of the endpoint it belongs to. */
export interface EndpointSide {
  readonly isUp: boolean
  readonly handler: DataHandler | undefined
  released(): void
}

interface Request {
  resolve: (reply: Buffer) => void
  reject: (error: Error) => void
  giveUpAtMs: number
}

interface Delivery {
  expiresAtMs: number
}

/** The node's end of a local endpoint. */
export class LocalLink implements Link {
  readonly #context: LinkContext
  readonly #clock: Clock
  readonly #endpoint: EndpointSide
  /** Requests of the endpoint that the node has not answered yet, by handle. */
  readonly #requests = new Map<number, Request>()
  /** Packets of the node that the endpoint has not answered yet, by token. */
  readonly #deliveries = new Map<number, Delivery>()
  #nextHandle = 1
  #state: 'new' | 'started' | 'stopped' = 'new'
  #changedAtMs: number | undefined
  #sweeper: NodeJS.Timeout | undefined

  constructor(context: LinkContext, endpoint: EndpointSide, deps: { clock: Clock }) {
    this.#context = context
    this.#endpoint = endpoint
    this.#clock = deps.clock
  }

  get connected(): boolean {
    return this.#state === 'started' && this.#endpoint.isUp
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return
    this.#state = 'started'
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS)
    this.#sweeper.unref()
    if (this.#endpoint.isUp) this.endpointUp()
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#changedAtMs = this.#clock.now()
    clearInterval(this.#sweeper)
    this.#deliveries.clear()
    this.#rejectRequests('the node closed the link')
    this.#endpoint.released()
  }

  sendPrepare(token: number, packet: Buffer, start: number, end: number, expiresAtMs: number): SendOutcome {
    const { handler } = this.#endpoint
    if (!this.connected || handler === undefined) return SendOutcome.unreachable
    if (this.#deliveries.size >= REQUESTS_OPEN_MAX) return SendOutcome.busy
    const delivery: Delivery = { expiresAtMs }
    this.#deliveries.set(token, delivery)
    void this.#deliver(token, delivery, handler, Buffer.from(packet.subarray(start, end)))
    return SendOutcome.sent
  }

  sendReply(handle: number, packet: Buffer, start: number, end: number): void {
    const request = this.#requests.get(handle)
    if (request === undefined) return
    this.#requests.delete(handle)
    request.resolve(Buffer.from(packet.subarray(start, end)))
  }

  status(): LinkStatus {
    return {
      connected: this.connected,
      ...(this.#changedAtMs === undefined ? {} : { changedAtMs: this.#changedAtMs }),
      ...(this.#state === 'started' && !this.connected
        ? { lastError: 'the program behind the local endpoint has not connected' }
        : {}),
    }
  }

  /** The endpoint sends a packet to the node. Rejects when the link is not connected, closes, or is full. */
  request(packet: Buffer): Promise<Buffer> {
    if (!this.connected) return Promise.reject(new Error('not connected: the node has not opened this link'))
    if (this.#requests.size >= REQUESTS_OPEN_MAX) {
      return Promise.reject(new Error(`busy: ${REQUESTS_OPEN_MAX} packets await an answer`))
    }
    const handle = this.#nextHandle++
    // The node writes into the packets that it forwards: the caller's buffer stays the caller's.
    const copy = Buffer.from(packet)
    return new Promise((resolve, reject) => {
      this.#requests.set(handle, { resolve, reject, giveUpAtMs: this.#clock.now() + ANSWER_TIME_MAX_MS })
      this.#context.receiver.prepare(handle, copy, 0, copy.length)
    })
  }

  endpointUp(): void {
    if (this.#state !== 'started') return
    this.#changedAtMs = this.#clock.now()
    this.#context.receiver.connected()
  }

  endpointDown(): void {
    if (this.#state !== 'started') return
    const reason = 'the local endpoint disconnected'
    this.#changedAtMs = this.#clock.now()
    this.#rejectRequests(reason)
    const tokens = [...this.#deliveries.keys()]
    this.#deliveries.clear()
    this.#context.receiver.disconnected(reason)
    for (const token of tokens) this.#context.receiver.failed(token, 'unreachable', reason)
  }

  async #deliver(token: number, delivery: Delivery, handler: DataHandler, packet: Buffer): Promise<void> {
    let reply: unknown
    let failure: string | undefined
    try {
      reply = await handler(packet)
    } catch (error) {
      failure = error instanceof Error ? error.message : 'no reason given'
    }
    if (this.#deliveries.get(token) !== delivery) return
    this.#deliveries.delete(token)
    const { receiver } = this.#context
    if (failure !== undefined) receiver.failed(token, 'unreachable', `the local endpoint failed: ${failure}`)
    else if (reply instanceof Uint8Array) {
      const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength)
      receiver.reply(token, bytes, 0, bytes.length)
    } else receiver.failed(token, 'bad-answer', 'the local endpoint answered something other than bytes')
  }

  /** Handlers that hang and answers that never come must not keep their place for ever. */
  #sweep(): void {
    const nowMs = this.#clock.now()
    for (const [token, { expiresAtMs }] of this.#deliveries) {
      if (expiresAtMs <= nowMs) this.#deliveries.delete(token)
    }
    for (const [handle, { reject, giveUpAtMs }] of this.#requests) {
      if (giveUpAtMs > nowMs) break
      this.#requests.delete(handle)
      reject(new Error('the node gave no answer'))
    }
  }

  #rejectRequests(reason: string): void {
    const requests = [...this.#requests.values()]
    this.#requests.clear()
    for (const { reject } of requests) reject(new Error(reason))
  }
}
