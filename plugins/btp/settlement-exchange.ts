import { encodeFulfill, encodePrepare, encodeReject } from '../../src/ilp/encode-packet.ts'
import { ErrorCode } from '../../src/ilp/error-code.ts'
import { PEER_PROTOCOL_CONDITION, PEER_PROTOCOL_FULFILLMENT } from '../../src/ilp/ildcp.ts'
import { DATA_LENGTH_MAX, PacketType } from '../../src/ilp/packet-view.ts'
import {
  createFulfillView,
  createPrepareView,
  createRejectView,
  parseFulfill,
  parsePrepare,
  parseReject,
} from '../../src/ilp/parse-packet.ts'
import { PeerAddress } from '../../src/ilp/peer-addresses.ts'
import {
  BtpErrorCode,
  type BtpFrameView,
  BtpType,
  btpEntries,
  ContentType,
  encodeBtpEntries,
  encodeBtpError,
} from './btp-frame.ts'

/** Name of the entry that holds a message of a settlement engine, or its answer. */
const PROTOCOL = 'settlement'
/** The node takes so many at once from one account. */
const OPEN_MAX = 32
/** Time the node has to answer: that of a message in an ILP packet. */
const TIMEOUT_MS = 30_000

/**
 * Settlement messages (RFC 38) of one link as a sub-protocol of BTP's own, for peers that do not put them into ILP packets
 * to `peer.settle`. Towards the node they are such packets all the same.
 */
export class SettlementExchange {
  readonly #sendsEntries: boolean
  /** Requests of the peer, and ours, that came or went as entries. */
  readonly #asked = new Set<number>()
  readonly #asking = new Set<number>()
  readonly #prepare = createPrepareView()

  /** @param sendsEntries whether our messages go as entries; those of the peer are taken either way */
  constructor(sendsEntries: boolean) {
    this.#sendsEntries = sendsEntries
  }

  /** The frame that carries a Prepare of ours, when it is a settlement message that goes as an entry. */
  request(requestId: number, packet: Buffer, start: number, end: number): Buffer | undefined {
    if (!this.#sendsEntries) return undefined
    const view = this.#prepare
    if (parsePrepare(packet, start, end, view) !== undefined) return undefined
    const { dataOffset, dataLength, destinationLength, destinationOffset } = view
    const to = packet.toString('latin1', destinationOffset, destinationOffset + destinationLength)
    if (to !== PeerAddress.settle) return undefined
    // The oldest gets no answer any more: the node gave it up long ago.
    for (const oldest of this.#asking) {
      if (this.#asking.size < OPEN_MAX) break
      this.#asking.delete(oldest)
    }
    this.#asking.add(requestId)
    const data = packet.subarray(dataOffset, dataOffset + dataLength)
    return encodeBtpEntries(BtpType.message, requestId, [entryOf(data)])
  }

  /**
   * A request of the peer as Prepare, when it is a settlement message that came as an entry. `busy`: too many of them are
   * open, which says nothing about this one.
   */
  take(buffer: Buffer, frame: BtpFrameView, nowMs: number): Buffer | 'busy' | undefined {
    const data = dataOf(buffer, frame)
    if (data === undefined || data.length > DATA_LENGTH_MAX) return undefined
    if (this.#asked.size >= OPEN_MAX) return 'busy'
    this.#asked.add(frame.requestId)
    return encodePrepare({
      amount: 0,
      expiresAtMs: nowMs + TIMEOUT_MS,
      condition: PEER_PROTOCOL_CONDITION,
      destination: PeerAddress.settle,
      data,
    })
  }

  /** The frame that answers the peer's request, when that came as an entry. */
  answer(requestId: number, packet: Buffer, start: number, end: number, nowMs: number): Buffer | undefined {
    if (this.#asked.size === 0 || !this.#asked.delete(requestId)) return undefined
    const fulfill = createFulfillView()
    if (packet[start] === PacketType.fulfill && parseFulfill(packet, start, end, fulfill) === undefined) {
      const data = packet.subarray(fulfill.dataOffset, fulfill.dataOffset + fulfill.dataLength)
      return encodeBtpEntries(BtpType.response, requestId, [entryOf(data)])
    }
    const reject = createRejectView()
    const isRead = parseReject(packet, start, end, reject) === undefined
    const { codeOffset, messageLength, messageOffset } = reject
    const text = isRead ? packet.toString('utf8', messageOffset, messageOffset + messageLength) : ''
    const isFinal = isRead && packet[codeOffset] === 0x46
    const code = isFinal ? BtpErrorCode.notAccepted : BtpErrorCode.unreachable
    return encodeBtpError(requestId, code, text, nowMs, [entryOf(Buffer.from(text))])
  }

  /** The peer's answer to a message of ours as Fulfill or Reject; undefined when that went otherwise. */
  reply(buffer: Buffer, frame: BtpFrameView): Buffer | undefined {
    if (this.#asking.size === 0 || !this.#asking.delete(frame.requestId)) return undefined
    const data = dataOf(buffer, frame)
    if (data === undefined) return undefined
    if (frame.type === BtpType.response) return encodeFulfill(PEER_PROTOCOL_FULFILLMENT, data)
    const isFinal = buffer[frame.codeOffset] === 0x46
    const code = isFinal ? ErrorCode.badRequest : ErrorCode.internalError
    return encodeReject(code, '', data.toString('utf8'))
  }

  /** The connection is gone, and with it all that was open on it. */
  forget(): void {
    this.#asked.clear()
    this.#asking.clear()
  }
}

function entryOf(data: Buffer) {
  return { name: PROTOCOL, contentType: ContentType.octets, data }
}

/** The data of the first entry, which alone decides the meaning (RFC 23), when it is one of ours. */
function dataOf(buffer: Buffer, frame: BtpFrameView): Buffer | undefined {
  if (frame.entryCount === 0) return undefined
  const [first] = btpEntries(buffer, frame)
  return first?.name === PROTOCOL ? first.data : undefined
}
