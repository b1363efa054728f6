import { randomUUID } from 'node:crypto'
import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/logger.ts'
import {
  type Link,
  type LinkReceiver,
  type LinkStatus,
  type SendFailure,
  SendOutcome,
} from '../../src/peers/link.ts'
import type { Authenticator } from './authenticator.ts'
import { CallbackSender } from './callback-sender.ts'
import type { IncomingCredentials } from './incoming-credentials.ts'
import { OpenRequests } from './open-requests.ts'
import type { LinkOptions } from './options.ts'
import { LATE_RESPONSE_MS, PacketClient } from './packet-client.ts'
import { PacketRequest } from './packet-request.ts'
import type { IncomingPacket, ServedPeer } from './packet-server.ts'
import { prepareExpiryMs } from './prepare-expiry.ts'
import { sendProblem } from './problem.ts'
import { Reachability } from './reachability.ts'

/** The longest a node holds a packet (five minutes) and a little more: a request open longer was forgotten. */
const HOLD_MAX_MS = 330_000
/** How long the reply to a packet that had expired on arrival may take to be delivered, milliseconds. */
const EXPIRED_REPLY_MS = 1_000
/** The same for a packet whose expiry cannot be read, milliseconds. */
const UNREADABLE_REPLY_MS = 30_000
/** Reply types of RFC 27. */
const FULFILL = 13
const REJECT = 14

export interface HttpLinkDeps {
  clock: Clock
  logger: Logger
  random: () => number
  receiver: LinkReceiver
  authenticator: Authenticator<ServedPeer>
  credentials: IncomingCredentials | undefined
  allowShortTokens: boolean
  /** The link begins or ends to want `sweep` calls. */
  started: (link: HttpLink) => void
  stopped: (link: HttpLink) => void
}

/**
 * One peer over HTTP (RFC 35). With `outgoing` it is connected as {@link Reachability} tells; without, it cannot be sent
 * to and counts as connected from a request of the peer until `idleTimeoutMs` after the last one. Both directions are
 * independent: replies to requests of the peer still go out while the peer's own server is unreachable.
 */
export class HttpLink implements Link {
  readonly #options: LinkOptions
  readonly #deps: HttpLinkDeps
  readonly #receiver: LinkReceiver
  readonly #client: PacketClient | undefined
  readonly #reachability: Reachability | undefined
  readonly #callbacks: CallbackSender
  readonly #callbackOrigins: Set<string>
  readonly #open: OpenRequests
  readonly #served: ServedPeer | undefined
  /** Async mode: sent, and no reply yet; by Request-Id. */
  readonly #awaiting = new Map<string, PacketRequest>()
  #running = false
  #heardAtMs = -Infinity
  #heard = false
  #changedAtMs: number | undefined

  /** @throws LinkConfigError */
  constructor(options: LinkOptions, deps: HttpLinkDeps) {
    const { outgoing } = options
    this.#options = options
    this.#deps = deps
    this.#receiver = deps.receiver
    this.#open = new OpenRequests(options.maxOpenRequests)
    this.#callbackOrigins = new Set(options.callbackOrigins.map((url) => new URL(url).origin))
    if (deps.credentials !== undefined)
      this.#served = {
        credentials: deps.credentials,
        receive: (packet) => this.#receive(packet),
        onRefused: (detail) => this.#receiver.protocolError(`HTTP request refused: ${detail}`),
      }
    if (outgoing !== undefined) {
      const client = new PacketClient(outgoing, deps.allowShortTokens, deps.clock, {
        answered: (request, status, body) => this.#onAnswer(request, status, body),
        broke: (request, reason) => this.#onBroken(request, reason),
      })
      this.#client = client
      this.#callbackOrigins.add(client.origin)
      this.#reachability = new Reachability(outgoing, {
        random: deps.random,
        probe: () => client.probe(),
        up: () => this.#onConnected(),
        down: (reason) => this.#onDisconnected(reason),
      })
    }
    this.#callbacks = new CallbackSender(
      {
        clock: deps.clock,
        random: deps.random,
        authorization: async () => this.#client?.authorization(),
        lost: (reason) => deps.logger.warn('reply lost on the way to a callback', { reason }),
      },
      this.#client?.ca,
    )
  }

  get connected(): boolean {
    return this.#running && (this.#reachability?.up ?? this.#heard)
  }

  async start(): Promise<void> {
    if (this.#running) return
    if (this.#served !== undefined) this.#deps.authenticator.register(this.#served)
    this.#running = true
    this.#deps.started(this)
    this.#client?.start()
    this.#reachability?.start()
  }

  async stop(): Promise<void> {
    if (!this.#running) return
    const wasConnected = this.connected
    this.#running = false
    if (this.#served !== undefined) this.#deps.authenticator.unregister(this.#served)
    this.#deps.stopped(this)
    this.#reachability?.stop()
    for (const { response } of this.#open.takeAll())
      if (response !== undefined) sendProblem(response, 503, 'the node is stopping', true)
    this.#awaiting.clear()
    await Promise.all([this.#client?.stop(), this.#callbacks.stop()])
    if (wasConnected) this.#onDisconnected('the link was stopped')
  }

  sendPrepare(token: number, packet: Buffer, start: number, end: number, expiresAtMs: number): SendOutcome {
    if (!this.connected || this.#client === undefined) return SendOutcome.unreachable
    const isAsync = this.#options.outgoing!.mode === 'async'
    if (isAsync && this.#awaiting.size >= this.#options.maxOpenRequests) return SendOutcome.busy
    const body = Buffer.allocUnsafe(end - start)
    packet.copy(body, 0, start, end)
    const request = new PacketRequest(token, body, expiresAtMs, isAsync ? randomUUID() : undefined)
    if (request.requestId !== undefined) this.#awaiting.set(request.requestId, request)
    if (this.#client.send(request)) return SendOutcome.sent
    if (request.requestId !== undefined) this.#awaiting.delete(request.requestId)
    return SendOutcome.busy
  }

  sendReply(handle: number, packet: Buffer, start: number, end: number): void {
    const open = this.#open.take(handle)
    if (open === undefined) return
    if (open.response !== undefined) {
      open.response.writeHead(200, ['content-type', open.contentType, 'content-length', String(end - start)])
      // As text of one byte per character it is copied now and leaves with the head in one write.
      open.response.end(packet.toString('latin1', start, end), 'latin1')
      return
    }
    const body = Buffer.allocUnsafe(end - start)
    packet.copy(body, 0, start, end)
    this.#callbacks.send({
      url: open.callbackUrl!,
      requestId: open.requestId!,
      packet: body,
      contentType: open.contentType,
      deadlineMs: open.forgetAtMs,
    })
  }

  status(): LinkStatus {
    const { outgoing } = this.#options
    const connected = this.connected
    const status: LinkStatus = { connected }
    if (outgoing !== undefined) {
      const { origin, pathname } = new URL(outgoing.url)
      status.remote = `${origin}${pathname}`
    }
    if (this.#changedAtMs !== undefined) status.changedAtMs = this.#changedAtMs
    if (!connected) {
      if (outgoing === undefined) status.lastError = 'no request from the peer lately, and no outgoing.url'
      else if (this.#reachability?.lastError !== undefined) status.lastError = this.#reachability.lastError
    }
    return status
  }

  /** Called a few times per second: ends what is overdue. */
  sweep(nowMs: number): void {
    this.#client?.sweep(nowMs)
    for (const [requestId, request] of this.#awaiting)
      if (nowMs >= request.expiresAtMs + LATE_RESPONSE_MS) this.#awaiting.delete(requestId)
    for (const { response } of this.#open.takeOverdue(nowMs))
      if (response !== undefined) sendProblem(response, 504, 'no reply was found in time')
    if (this.#client === undefined && this.#heard && this.#open.size === 0) {
      if (nowMs - this.#heardAtMs < this.#options.idleTimeoutMs) return
      this.#heard = false
      this.#onDisconnected('no request from the peer lately')
    }
  }

  #onConnected(): void {
    this.#changedAtMs = this.#deps.clock.now()
    this.#receiver.connected()
  }

  #onDisconnected(reason: string): void {
    this.#changedAtMs = this.#deps.clock.now()
    this.#receiver.disconnected(reason)
  }

  #receive(packet: IncomingPacket): void {
    const { response, requestId, body } = packet
    if (!this.#running) {
      sendProblem(response, 503, 'the node is stopping', true)
      return
    }
    this.#hear()
    const isReply = requestId !== undefined && (body[0] === FULFILL || body[0] === REJECT)
    const callbackUrl = packet.callbackUrl ?? this.#options.callbackUrl
    if (packet.isCallback || isReply) this.#receiveCallback(packet)
    else if (requestId !== undefined && callbackUrl !== undefined)
      this.#receiveAsync(packet, requestId, callbackUrl)
    else if (packet.callbackUrl !== undefined) sendProblem(response, 400, 'a Callback-Url needs a Request-Id')
    else this.#receiveSync(packet)
  }

  /** Without `outgoing`, requests of the peer are the only sign of life. */
  #hear(): void {
    if (this.#client !== undefined) return
    this.#heardAtMs = this.#deps.clock.now()
    if (this.#heard) return
    this.#heard = true
    this.#onConnected()
  }

  #receiveSync({ response, contentType, requestId, body }: IncomingPacket): void {
    if (this.#open.full) {
      sendProblem(response, 503, 'too many requests await a reply')
      return
    }
    const forgetAtMs = this.#deps.clock.now() + HOLD_MAX_MS
    const handle = this.#open.add({ response, contentType, callbackUrl: undefined, requestId, forgetAtMs })
    this.#receiver.prepare(handle, body, 0, body.length)
  }

  #receiveAsync(packet: IncomingPacket, requestId: string, callbackUrl: string): void {
    const { response, contentType, body } = packet
    if (packet.callbackUrl !== undefined && !this.#isCallbackAllowed(callbackUrl)) {
      this.#receiver.protocolError('Callback-Url outside the registered origins of the peer')
      sendProblem(response, 400, 'the Callback-Url is not on a registered origin of this account')
      return
    }
    if (this.#open.isRepeated(requestId)) {
      // The 202 to the first one was lost: the packet was accepted once already.
      accept(response)
      return
    }
    if (this.#open.full) {
      sendProblem(response, 503, 'too many requests await a reply')
      return
    }
    const nowMs = this.#deps.clock.now()
    const expiryMs = prepareExpiryMs(body) ?? nowMs + UNREADABLE_REPLY_MS
    const forgetAtMs = Math.min(Math.max(expiryMs, nowMs + EXPIRED_REPLY_MS), nowMs + HOLD_MAX_MS)
    accept(response)
    this.#open.rememberRequestId(requestId, forgetAtMs)
    const handle = this.#open.add({ response: undefined, contentType, callbackUrl, requestId, forgetAtMs })
    this.#receiver.prepare(handle, body, 0, body.length)
  }

  #receiveCallback({ response, requestId, body }: IncomingPacket): void {
    const request = requestId === undefined ? undefined : this.#awaiting.get(requestId)
    if (request === undefined) {
      this.#receiver.protocolError('callback for an unknown, answered or expired Request-Id')
      sendProblem(response, 400, 'the Request-Id is unknown, answered or expired')
      return
    }
    response.writeHead(200, { 'content-length': 0 })
    response.end()
    this.#settle(request, () => this.#receiver.reply(request.token, body, 0, body.length))
  }

  #isCallbackAllowed(callbackUrl: string): boolean {
    try {
      const url = new URL(callbackUrl)
      return url.username === '' && url.password === '' && this.#callbackOrigins.has(url.origin)
    } catch {
      return false
    }
  }

  #onAnswer(request: PacketRequest, status: number, body: Buffer): void {
    this.#reachability?.succeeded()
    if (status >= 500) this.#fail(request, 'unreachable', `the peer answered HTTP ${status}`)
    else if (status >= 300) this.#fail(request, 'refused', `the peer answered HTTP ${status}`)
    else if (body.length > 0 && status !== 202)
      this.#settle(request, () => this.#receiver.reply(request.token, body, 0, body.length))
    else if (request.requestId === undefined)
      this.#fail(request, 'bad-answer', `the peer answered HTTP ${status} without a packet`)
  }

  #onBroken(request: PacketRequest, reason: string): void {
    if (request.tooLong) {
      this.#reachability?.succeeded()
      this.#fail(request, 'bad-answer', reason)
      return
    }
    if (request.status === 0 && !request.gaveUp) this.#reachability?.failed(reason)
    // The peer may have the packet, and its callback may still come: the node's clock ends the waiting.
    if (request.requestId !== undefined && request.sent) return
    this.#fail(request, 'unreachable', reason)
  }

  #fail(request: PacketRequest, failure: SendFailure, message: string): void {
    this.#settle(request, () => this.#receiver.failed(request.token, failure, message))
  }

  /** The first outcome counts. */
  #settle(request: PacketRequest, tell: () => void): void {
    if (request.requestId !== undefined) this.#awaiting.delete(request.requestId)
    if (request.settled || !this.#running) return
    request.settled = true
    tell()
  }
}

function accept(response: IncomingPacket['response']): void {
  response.writeHead(202, { 'content-length': 0 })
  response.end()
}
