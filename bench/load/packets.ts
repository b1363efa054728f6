import { randomBytes } from 'node:crypto'
import { encodeFulfill, encodePrepare, encodeReject } from '../../src/ilp/encode-packet.ts'
import { PacketType, type PrepareView } from '../../src/ilp/packet-view.ts'
import {
  createFulfillView,
  createPrepareView,
  createRejectView,
  parseFulfill,
  parsePrepare,
  parseReject,
} from '../../src/ilp/parse-packet.ts'
import { patchPrepare } from '../../src/ilp/patch-prepare.ts'
import { sha256OneBlock } from '../../src/ilp/sha256.ts'

/** Words of a SHA-256 digest. */
export const CONDITION_WORDS = 8
/** Data of each Fulfill: what a receiver of a payment says back. Bytes. */
const FULFILL_DATA_BYTES = 32
const PREIMAGE_BYTES = 32
const PREIMAGE_RANDOM_BYTES = 24
/** Data of a Prepare begins with the counter of the packet, then the number of its payee, then this many random bytes. */
const COUNTER_BYTES = 8
const PAYEE_BYTES = 2
const MARK_BYTES = 6
const NAME_BYTES = COUNTER_BYTES + PAYEE_BYTES + MARK_BYTES
/** The shortest data that {@link Packets} takes. */
export const DATA_BYTES_MIN = 32
const TWO_32 = 0x1_0000_0000
/** Each payee is paid at 1,000 addresses in turn, as if so many payments ran at once. */
const ADDRESS_DIGITS = 3
/** Coprime with every power of ten, so that the addresses come in no order and all of them come. */
const ADDRESS_STEP = 381_677
const DIGIT_ZERO = 0x30
/** What our payees say when a packet is not what was sent: no connector uses this code of its own. */
const WRONG_CODE = 'F99'

/** What an answer means. */
export const Answer = { fulfilled: 0, rejected: 1, wrong: 2 } as const
export type Answer = (typeof Answer)[keyof typeof Answer]

/**
 * The packets of payers and payees. Every Prepare has a preimage of its own, made from the randomness of this run and
 * the counter that its data carries; both ends verify. Packets are written into one buffer per payee again and again.
 */
export class Packets {
  /** What was wrong with the first packet that came to a payee as it was not sent; empty when none did. */
  firstFault = ''
  readonly #deliveredAmount: number
  readonly #amount: number
  readonly #addressDigits: number
  readonly #addressCount: number
  /** One per payee. */
  readonly #prepares: PrepareView[]
  readonly #random = randomBytes(PREIMAGE_RANDOM_BYTES)
  readonly #mark = randomBytes(MARK_BYTES)
  readonly #preimage = Buffer.alloc(PREIMAGE_BYTES)
  readonly #digest = new Uint32Array(CONDITION_WORDS)
  readonly #fulfill = encodeFulfill(Buffer.alloc(PREIMAGE_BYTES), randomBytes(FULFILL_DATA_BYTES))
  readonly #fulfillmentAt: number
  readonly #wrong = encodeReject(WRONG_CODE, '', 'not the packet that was sent')
  readonly #expired = encodeReject('R00', '', 'expired before it came')
  readonly #notOurs = encodeReject('F02', '', 'only packets of this load are taken')
  readonly #prepareView = createPrepareView()
  readonly #fulfillView = createFulfillView()
  readonly #rejectView = createRejectView()

  /**
   * @param addresses one per payee, the prefix of its destinations
   * @param dataBytes {@link DATA_BYTES_MIN} to 32,767
   */
  constructor(options: {
    addresses: readonly string[]
    amount: number
    deliveredAmount: number
    dataBytes: number
    /** Digits of the last segment of the destinations. Default: 3. */
    addressDigits?: number | undefined
  }) {
    const { addresses, amount, dataBytes, addressDigits = ADDRESS_DIGITS } = options
    this.#addressDigits = addressDigits
    this.#addressCount = 10 ** addressDigits
    if (dataBytes < DATA_BYTES_MIN)
      throw new RangeError(`a packet needs ${DATA_BYTES_MIN} bytes of data to name it`)
    this.#deliveredAmount = options.deliveredAmount
    this.#amount = amount
    this.#random.copy(this.#preimage)
    this.#fulfillmentAt = parsed(parseFulfill, this.#fulfill, createFulfillView()).fulfillmentOffset
    const condition = Buffer.alloc(PREIMAGE_BYTES)
    this.#prepares = addresses.map((address, payee) => {
      const data = randomBytes(dataBytes)
      data.writeUInt16BE(payee, COUNTER_BYTES)
      this.#mark.copy(data, COUNTER_BYTES + PAYEE_BYTES)
      const destination = `${address}.${'0'.repeat(this.#addressDigits)}`
      const packet = encodePrepare({ amount, expiresAtMs: 0, condition, destination, data })
      return parsed(parsePrepare, packet, createPrepareView())
    })
  }

  /**
   * The Prepare of packet `counter` to a payee, valid until the next call for that payee. Its condition is stored as
   * eight words at `conditions[at]`, for {@link checkAnswer}.
   */
  prepare(payee: number, counter: number, expiresAtMs: number, conditions: Uint32Array, at: number): Buffer {
    const view = this.#prepares[payee]!
    const packet = view.buffer
    patchPrepare(view, this.#amount, expiresAtMs)
    let rest = (counter * ADDRESS_STEP) % this.#addressCount
    const segmentEnd = view.destinationOffset + view.destinationLength
    for (let at = segmentEnd - 1; at >= segmentEnd - this.#addressDigits; at--) {
      packet[at] = DIGIT_ZERO + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    writeCounter(packet, view.dataOffset, counter)
    this.#hashPreimage(counter)
    for (let i = 0; i < CONDITION_WORDS; i++) {
      const word = this.#digest[i]!
      conditions[at + i] = word
      writeWord(packet, view.conditionOffset + 4 * i, word)
    }
    return packet
  }

  /** What a payee answers to a packet: its Fulfill when all is as it should be. Valid until the next call. */
  respond(payee: number, packet: Buffer, start: number, end: number, nowMs: number): Buffer {
    const view = this.#prepareView
    if (parsePrepare(packet, start, end, view) !== undefined) return this.#fault('not an ILP Prepare')
    // First, so that a packet that an earlier window gave up is no fault.
    if (view.expiresAtMs <= nowMs) return this.#expired
    const fault = this.#namingFault(payee, view)
    if (fault !== undefined) return isForPeer(view) ? this.#notOurs : this.#fault(fault)
    if (view.amount !== this.#deliveredAmount) {
      return this.#fault(`amount ${view.amount}, expected ${this.#deliveredAmount}`)
    }
    const counter = readCounter(packet, view.dataOffset)
    this.#hashPreimage(counter)
    if (!sameWords(this.#digest, packet, view.conditionOffset)) return this.#fault('another condition')
    this.#preimage.copy(this.#fulfill, this.#fulfillmentAt)
    return this.#fulfill
  }

  /** Checks an answer against the condition of its Prepare, eight words at `conditions[at]`. */
  checkAnswer(packet: Buffer, start: number, end: number, conditions: Uint32Array, at: number): Answer {
    if (packet[start] === PacketType.reject) {
      return this.rejectCode(packet, start, end) === WRONG_CODE ? Answer.wrong : Answer.rejected
    }
    const view = this.#fulfillView
    if (parseFulfill(packet, start, end, view) !== undefined) return Answer.wrong
    sha256OneBlock(packet, view.fulfillmentOffset, this.#digest)
    for (let i = 0; i < CONDITION_WORDS; i++) {
      if (this.#digest[i] !== conditions[at + i]) return Answer.wrong
    }
    return Answer.fulfilled
  }

  /** ILP code of a Reject, or `wrong` when it is none. */
  rejectCode(packet: Buffer, start: number, end: number): string {
    const view = this.#rejectView
    if (parseReject(packet, start, end, view) !== undefined) return WRONG_CODE
    return packet.toString('latin1', view.codeOffset, view.codeOffset + 3)
  }

  /** What is wrong with destination or data. */
  #namingFault(payee: number, view: PrepareView): string | undefined {
    const sent = this.#prepares[payee]!
    if (view.dataLength !== sent.dataLength) return 'data of another length'
    const { buffer, dataOffset, destinationOffset, destinationLength } = view
    for (let i = COUNTER_BYTES; i < NAME_BYTES; i++) {
      if (buffer[dataOffset + i] !== sent.buffer[sent.dataOffset + i])
        return `not sent to payee ${payee} by this run`
    }
    if (destinationLength !== sent.destinationLength) return 'a destination of another length'
    for (let i = 0; i < destinationLength - this.#addressDigits; i++) {
      if (buffer[destinationOffset + i] !== sent.buffer[sent.destinationOffset + i])
        return 'another destination'
    }
    return undefined
  }

  #hashPreimage(counter: number): void {
    writeCounter(this.#preimage, PREIMAGE_RANDOM_BYTES, counter)
    sha256OneBlock(this.#preimage, 0, this.#digest)
  }

  #fault(what: string): Buffer {
    this.firstFault ||= what
    return this.#wrong
  }
}

/** Connectors talk to their peers about routes and addresses; that is none of the load's business. */
function isForPeer({ buffer, destinationOffset }: PrepareView): boolean {
  return buffer.toString('latin1', destinationOffset, destinationOffset + 5) === 'peer.'
}

/** Fills a view of a packet that we have written ourselves. */
function parsed<View>(
  parse: (packet: Buffer, start: number, end: number, view: View) => string | undefined,
  packet: Buffer,
  view: View,
): View {
  const fault = parse(packet, 0, packet.length, view)
  if (fault !== undefined) throw new Error(fault)
  return view
}

function sameWords(words: Uint32Array, bytes: Buffer, offset: number): boolean {
  for (let i = 0; i < CONDITION_WORDS; i++) {
    if (words[i] !== readWord(bytes, offset + 4 * i)) return false
  }
  return true
}

function writeCounter(target: Buffer, offset: number, counter: number): void {
  const upper = Math.floor(counter / TWO_32)
  writeWord(target, offset, upper)
  writeWord(target, offset + 4, counter - upper * TWO_32)
}

function readCounter(source: Buffer, offset: number): number {
  return readWord(source, offset) * TWO_32 + readWord(source, offset + 4)
}

function writeWord(target: Buffer, offset: number, word: number): void {
  target[offset] = word >>> 24
  target[offset + 1] = word >>> 16
  target[offset + 2] = word >>> 8
  target[offset + 3] = word
}

function readWord(source: Buffer, offset: number): number {
  return (
    ((source[offset]! << 24) |
      (source[offset + 1]! << 16) |
      (source[offset + 2]! << 8) |
      source[offset + 3]!) >>>
    0
  )
}
