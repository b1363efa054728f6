import { encodeReject } from '../ilp/encode-packet.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import { PacketType } from '../ilp/packet-view.ts'
import { createPrepareView, createRejectView, parsePrepare, parseReject } from '../ilp/parse-packet.ts'
import type { PacketEndpoint } from './packet-endpoint.ts'

const MESSAGE_SHOWN_MAX = 200
/** Rejects that are part of how STREAM feels its way: the receiver's own answers, and "make smaller packets". */
const USUAL_CODES: readonly string[] = [
  ErrorCode.applicationError,
  ErrorCode.insufficientDestinationAmount,
  ErrorCode.wrongCondition,
  ErrorCode.amountTooLarge,
]

type Phase =
  /** Everything goes. */
  | 'open'
  /** No more value; what tells the receiver about the end still goes. */
  | 'draining'
  | 'closed'

/**
 * One payment's way to the node. Counts what really left the account, whatever the STREAM layer makes of the
 * replies, and cuts the payment off from the account when it is over.
 */
export class SenderPlugin implements PacketEndpoint {
  readonly #endpoint: PacketEndpoint
  readonly #view = createPrepareView()
  #handler: ((packet: Buffer) => Promise<Buffer>) | undefined
  #phase: Phase = 'open'
  #sent = 0n
  #unknown = 0n
  #inFlight = 0
  #inFlightAmount = 0n
  #lastReject: string | undefined
  #idle: (() => void)[] = []

  /** @param endpoint the account's way to the node */
  constructor(endpoint: PacketEndpoint) {
    this.#endpoint = endpoint
  }

  /** Fulfilled so far, smallest units of the account. */
  get sent(): bigint {
    return this.#sent
  }

  /** Value of packets without an answer: under way, or given up. */
  get unknown(): bigint {
    return this.#unknown + this.#inFlightAmount
  }

  /** The last reject that says something about the path, for people. */
  get lastReject(): string | undefined {
    return this.#lastReject
  }

  async connect(): Promise<void> {}

  async disconnect(): Promise<void> {}

  isConnected(): boolean {
    return this.#phase === 'open'
  }

  registerDataHandler(handler: (packet: Buffer) => Promise<Buffer>): void {
    this.#handler = handler
  }

  deregisterDataHandler(): void {
    this.#handler = undefined
  }

  /** A packet that the receiver sends back to this payment. */
  async handle(packet: Buffer): Promise<Buffer> {
    return this.#handler === undefined || this.#phase !== 'open'
      ? encodeReject(ErrorCode.unreachable, '', 'the payment is over')
      : this.#handler(packet)
  }

  /** Never rejects: the STREAM layer handles replies better than errors. */
  async sendData(packet: Buffer): Promise<Buffer> {
    const problem = parsePrepare(packet, 0, packet.length, this.#view)
    if (problem !== undefined) return encodeReject(ErrorCode.badRequest, '', problem)
    const amount = BigInt(this.#view.amount)
    if (this.#phase === 'closed' || (this.#phase === 'draining' && amount > 0n)) {
      return encodeReject(ErrorCode.badRequest, '', 'the payment is over')
    }
    if (!this.#endpoint.isConnected()) {
      this.#lastReject = 'the node does not take packets now'
      return encodeReject(ErrorCode.peerUnreachable, '', this.#lastReject)
    }
    this.#inFlight++
    this.#inFlightAmount += amount
    try {
      const reply = await this.#endpoint.sendData(packet)
      if (reply[0] === PacketType.fulfill) this.#sent += amount
      else this.#note(reply)
      return reply
    } catch (error) {
      // Sent again, the same money might be paid twice: the payment ends here.
      this.#unknown += amount
      this.#lastReject = (error as Error).message.slice(0, MESSAGE_SHOWN_MAX)
      if (amount > 0n) this.drain()
      return encodeReject(ErrorCode.badRequest, '', this.#lastReject)
    } finally {
      this.#inFlight--
      this.#inFlightAmount -= amount
      if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  /** Sends no more value. */
  drain(): void {
    if (this.#phase === 'open') this.#phase = 'draining'
  }

  /** Sends and takes nothing any more. */
  close(): void {
    this.#phase = 'closed'
  }

  /** Resolves once no packet is without an answer. */
  settled(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #note(packet: Buffer): void {
    const view = createRejectView()
    if (parseReject(packet, 0, packet.length, view) !== undefined) return
    const text = (offset: number, length: number) =>
      packet.toString('utf8', offset, offset + Math.min(length, MESSAGE_SHOWN_MAX))
    const code = text(view.codeOffset, 3)
    if (USUAL_CODES.includes(code)) return
    const triggeredBy = text(view.triggeredByOffset, view.triggeredByLength)
    const message = text(view.messageOffset, view.messageLength)
    this.#lastReject = `${code}${triggeredBy && ` from ${triggeredBy}`}${message && `: ${message}`}`
  }
}
