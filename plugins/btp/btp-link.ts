import assert from 'node:assert/strict'
import { PACKET_LENGTH_MAX } from '../../src/ilp/packet-view.ts'
import {
  type Link,
  type LinkContext,
  type LinkReceiver,
  type LinkStatus,
  SendOutcome,
} from '../../src/peers/link.ts'
import {
  BtpErrorCode,
  BtpType,
  emptyBtpFrameView,
  encodeBtpError,
  hasDuplicateNames,
  ilpFrameLength,
  readBtpFrame,
  writeIlpFrame,
} from './btp-frame.ts'
import type { BtpShare } from './btp-share.ts'
import { OpenRequests } from './open-requests.ts'
import { SettlementExchange } from './settlement-exchange.ts'
import { CloseCode, Opcode } from './web-socket-code.ts'
import type { ConnectionHandler, WebSocketConnection } from './web-socket-connection.ts'

/** Request ids from here up are the link's own (`src/peers/link.ts`). */
export const OWN_REQUEST_ID_MIN = 0xffff_0000
/** A peer with so many bytes waiting gets no new packets until it has read. Replies still go to it. Bytes. */
const BUSY_BYTES = 4 * 1_024 * 1_024
/** How long an answer after expiry is still told apart from one to no request, so that the node can log it. */
const LATE_ANSWER_MS = 60_000
/** Longest time the node holds a request (300 s in the configuration), doubled: then it will never be answered. */
const REQUEST_HELD_MS_MAX = 600_000
/** Shortest time between two searches of a full table for what may be forgotten. */
const FORGET_INTERVAL_MS = 1_000
/** How often idle tables are cleared of what was never answered. */
const CLEAR_INTERVAL_MS = 30_000
/** Handles are epoch * 2^32 + request id: so many connections fit in a safe integer. */
const EPOCHS = 2 ** 21
const ID_SPACE = 2 ** 32
/** Of its request window: below it a connection that was held is read again. */
const READ_ON_SHARE = 0.75
const ERROR_NAME_LENGTH_MAX = 64

/** What both sides of a connection have in common. */
export interface BtpLinkOptions {
  settlementMessages: 'ilp' | 'sub-protocol'
}

/**
 * One peer over BTP 2.0 (RFC 23), whichever side opened the WebSocket. Tokens are the request ids of our prepares.
 * What is open is kept by id in both directions: an answer counts once and only for a request sent on this link.
 */
export abstract class BtpLink implements Link, ConnectionHandler {
  protected readonly accountId: string
  protected readonly receiver: LinkReceiver
  protected readonly share: BtpShare
  protected stopped = false
  protected lastError: string | undefined
  #connection: WebSocketConnection | undefined
  #remote: string | undefined
  #changedAtMs: number | undefined
  #epoch = 0
  readonly #outgoing = new OpenRequests()
  readonly #incoming = new OpenRequests()
  #forgotAtMs = 0
  #sinceClearedMs = 0
  readonly #frame = emptyBtpFrameView()
  readonly #settlement: SettlementExchange

  constructor(context: LinkContext, options: BtpLinkOptions, share: BtpShare) {
    this.accountId = context.accountId
    this.receiver = context.receiver
    this.share = share
    this.#settlement = new SettlementExchange(options.settlementMessages === 'sub-protocol')
  }

  abstract start(): Promise<void>
  /** The connection is lost; the receiver knows. A client begins to reconnect. */
  protected abstract onLost(): void
  /** Stops what would make a new connection. */
  protected abstract onStop(): Promise<void>

  get connected(): boolean {
    return this.#connection !== undefined
  }

  async stop(): Promise<void> {
    this.stopped = true
    const connection = this.#connection
    this.detach('the link was stopped')
    connection?.close(CloseCode.goingAway, 'the link was stopped')
    await Promise.all([this.onStop(), connection?.gone()])
  }

  status(): LinkStatus {
    const status: LinkStatus = { connected: this.connected }
    const remote = this.#connection === undefined ? this.configuredRemote() : this.#remote
    if (remote !== undefined) status.remote = remote
    if (this.#changedAtMs !== undefined) status.changedAtMs = this.#changedAtMs
    if (!this.connected && this.lastError !== undefined) status.lastError = this.lastError
    return status
  }

  sendPrepare(token: number, packet: Buffer, start: number, end: number, expiresAtMs: number): SendOutcome {
    const connection = this.#connection
    if (connection === undefined) return SendOutcome.unreachable
    assert(token >= 0 && token < OWN_REQUEST_ID_MIN && end - start <= PACKET_LENGTH_MAX)
    if (connection.writer.pendingBytes > BUSY_BYTES) return SendOutcome.busy
    if (!this.#outgoing.add(token, expiresAtMs + LATE_ANSWER_MS) && !this.#makeRoom(token, expiresAtMs)) {
      return SendOutcome.busy
    }
    const settlement = this.#settlement.request(token, packet, start, end)
    if (settlement === undefined) send(connection, BtpType.message, token, packet, start, end)
    else connection.send(settlement)
    return SendOutcome.sent
  }

  sendReply(handle: number, packet: Buffer, start: number, end: number): void {
    const connection = this.#connection
    if (connection === undefined) return
    const requestId = handle % ID_SPACE
    if ((handle - requestId) / ID_SPACE !== this.#epoch || !this.#incoming.delete(requestId)) return
    assert(end - start <= PACKET_LENGTH_MAX)
    const settlement = this.#settlement.answer(requestId, packet, start, end, this.share.clock.now())
    if (settlement === undefined) send(connection, BtpType.response, requestId, packet, start, end)
    else connection.send(settlement)
    if (connection.isHeld && this.#incoming.size < this.share.requestWindow * READ_ON_SHARE)
      connection.readOn()
  }

  message(buffer: Buffer, start: number, end: number, isBinary: boolean): void {
    const frame = this.#frame
    if (!isBinary || !readBtpFrame(buffer, start, end, frame)) {
      // RFC 23: an unreadable packet is never answered.
      return this.receiver.protocolError('the peer sent something that is not a BTP frame')
    }
    switch (frame.type) {
      case BtpType.message:
        return this.#onMessage(buffer)
      case BtpType.response:
        return this.#onResponse(buffer)
      case BtpType.error:
        return this.#onError(buffer)
      default:
        this.#refuse(frame.requestId, BtpErrorCode.notAccepted, 'money is not taken over this link')
    }
  }

  closed(reason: string): void {
    this.detach(reason)
    this.onLost()
  }

  /** To be called about every second. */
  tick(elapsedMs: number): void {
    this.#connection?.tick(elapsedMs)
    this.#sinceClearedMs += elapsedMs
    if (this.#sinceClearedMs < CLEAR_INTERVAL_MS) return
    this.#sinceClearedMs = 0
    const nowMs = this.share.clock.now()
    this.#outgoing.forgetUntil(nowMs)
    this.#incoming.forgetUntil(nowMs)
  }

  protected configuredRemote(): string | undefined {
    return undefined
  }

  /** Takes over a connection that has authenticated. */
  protected attach(connection: WebSocketConnection, remote: string): void {
    const previous = this.#connection
    if (previous !== undefined) {
      this.detach('the peer opened a new connection')
      previous.close(CloseCode.policyViolation, 'replaced by a newer connection')
    }
    // The receiver may have stopped the link when it heard of the loss.
    if (this.stopped) return connection.close(CloseCode.goingAway, 'the link was stopped')
    connection.handler = this
    this.#connection = connection
    this.#remote = remote
    this.#epoch = (this.#epoch + 1) % EPOCHS
    this.#changedAtMs = this.share.clock.now()
    this.lastError = undefined
    this.receiver.connected()
  }

  /** Forgets the connection and all that was open on it, and tells the receiver. */
  protected detach(reason: string): void {
    if (this.#connection === undefined) return
    this.#connection = undefined
    this.#changedAtMs = this.share.clock.now()
    this.lastError = reason
    this.#incoming.drainAfter(Number.POSITIVE_INFINITY)
    this.#settlement.forget()
    const unanswered = this.#outgoing.drainAfter(this.#changedAtMs + LATE_ANSWER_MS)
    this.receiver.disconnected(reason)
    for (const token of unanswered) this.receiver.failed(token, 'unreachable', reason)
  }

  #onMessage(buffer: Buffer): void {
    const { requestId, isIlp, dataStart, dataEnd } = this.#frame
    if (this.#frame.entryCount > 1 && hasDuplicateNames(buffer, this.#frame)) {
      return this.#refuse(
        requestId,
        BtpErrorCode.invalidFields,
        'two sub-protocol entries have the same name',
      )
    }
    let settlement: Buffer | undefined
    if (!isIlp) {
      if (this.#incoming.has(requestId)) return this.#refuseId(requestId)
      const taken = this.#settlement.take(buffer, this.#frame, this.share.clock.now())
      if (taken === 'busy') {
        return this.#refuse(requestId, BtpErrorCode.unreachable, 'too many settlement messages are open')
      }
      if (taken === undefined) {
        const reason = 'only "ilp" and "settlement" are served'
        return this.#refuse(requestId, BtpErrorCode.notAccepted, reason)
      }
      settlement = taken
    }
    if (!this.#incoming.add(requestId, this.share.nowMs + REQUEST_HELD_MS_MAX)) {
      return this.#refuseId(requestId)
    }
    if (this.#incoming.size > this.share.requestWindow) this.#connection?.hold()
    const handle = this.#epoch * ID_SPACE + requestId
    if (settlement === undefined) this.receiver.prepare(handle, buffer, dataStart, dataEnd)
    else this.receiver.prepare(handle, settlement, 0, settlement.length)
  }

  /**
   * A second request with an open id gets no answer: any answer would be taken for that of the first, whose packet
   * may yet be fulfilled. RFC 23 makes it the sender's duty not to repeat ids.
   */
  #refuseId(requestId: number): void {
    if (this.#incoming.has(requestId)) {
      return this.receiver.protocolError('the peer used the id of an open request again')
    }
    this.#refuse(requestId, BtpErrorCode.unreachable, 'too many requests are open')
  }

  #onResponse(buffer: Buffer): void {
    const { requestId, isIlp, dataStart, dataEnd } = this.#frame
    if (!this.#outgoing.delete(requestId)) return this.#unexpected()
    const settlement = this.#settlement.reply(buffer, this.#frame)
    if (settlement !== undefined) return this.receiver.reply(requestId, settlement, 0, settlement.length)
    if (isIlp) return this.receiver.reply(requestId, buffer, dataStart, dataEnd)
    this.receiver.failed(requestId, 'bad-answer', 'the peer answered without an ILP packet')
  }

  #onError(buffer: Buffer): void {
    const { requestId, codeOffset, nameStart, nameEnd } = this.#frame
    if (!this.#outgoing.delete(requestId)) return this.#unexpected()
    const settlement = this.#settlement.reply(buffer, this.#frame)
    if (settlement !== undefined) return this.receiver.reply(requestId, settlement, 0, settlement.length)
    const message = `the peer answered with ${describeBtpError(buffer, codeOffset, nameStart, nameEnd)}`
    const kind = buffer[codeOffset]
    if (kind === 0x46) this.receiver.failed(requestId, 'refused', message)
    else if (kind === 0x54) this.receiver.failed(requestId, 'unreachable', message)
    else this.receiver.failed(requestId, 'bad-answer', message)
  }

  /** RFC 23: an answer to no open request is never answered. */
  #unexpected(): void {
    this.receiver.protocolError('the peer answered a request that is not open')
  }

  #refuse(requestId: number, code: BtpErrorCode, text: string): void {
    this.#connection?.send(encodeBtpError(requestId, code, text, this.share.clock.now()))
  }

  /** A token that could not be added: forgets what has expired, or takes the place of an earlier use of the token. */
  #makeRoom(token: number, expiresAtMs: number): boolean {
    const nowMs = this.share.clock.now()
    if (!this.#outgoing.delete(token)) {
      if (nowMs - this.#forgotAtMs < FORGET_INTERVAL_MS) return false
      this.#forgotAtMs = nowMs
      this.#outgoing.forgetUntil(nowMs + LATE_ANSWER_MS)
    }
    return this.#outgoing.add(token, expiresAtMs + LATE_ANSWER_MS)
  }
}

function send(
  connection: WebSocketConnection,
  type: number,
  requestId: number,
  packet: Buffer,
  start: number,
  end: number,
): void {
  const { writer } = connection
  const offset = writer.begin(Opcode.binary, ilpFrameLength(end - start))
  writeIlpFrame(writer.bytes, offset, type, requestId, packet, start, end)
  writer.end()
}

/** Code and name of an Error frame as one printable line. */
export function describeBtpError(
  buffer: Buffer,
  codeOffset: number,
  nameStart: number,
  nameEnd: number,
): string {
  const code = buffer.toString('latin1', codeOffset, codeOffset + 3)
  const name = buffer.toString('latin1', nameStart, Math.min(nameEnd, nameStart + ERROR_NAME_LENGTH_MAX))
  return `BTP error ${code} ${name}`.replace(/[^\x20-\x7e]/g, '?')
}
