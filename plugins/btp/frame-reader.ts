import { isUtf8 } from 'node:buffer'
import { applyMask, type MaskableBytes, maskable } from './mask.ts'
import { CloseCode, mayBeReceived, Opcode } from './web-socket-code.ts'

/** Who hears what a WebSocket brings. Bytes are valid during the call only. */
export interface FrameSink {
  message(buffer: Buffer, start: number, end: number, isBinary: boolean): void
  ping(buffer: Buffer, start: number, end: number): void
  /** `code` is 1005 when the peer gave none. */
  closeFrame(code: number): void
  /** The peer broke RFC 6455; nothing more is read. */
  violation(code: CloseCode, reason: string): void
}

const CONTROL_LENGTH_MAX = 125
const HEADER_LENGTH_MAX = 14
const NO_CLOSE_CODE = 1_005
const EMPTY = Buffer.alloc(0)

/**
 * Reads WebSocket frames (RFC 6455) out of the chunks of a socket, in place: payloads are unmasked where they lie,
 * and only a frame that spans two chunks, or a fragmented message, is copied.
 */
export class FrameReader {
  /** Longer messages are a violation, seen before their bytes have come. */
  messageLengthMax: number
  readonly #sink: FrameSink
  readonly #masked: boolean
  #stopped = false

  /** The beginning of a frame whose rest has not come yet. */
  #carry: MaskableBytes = maskable(EMPTY)
  #carryLength = 0

  /** The fragments so far of a message that is not complete. */
  #fragments = EMPTY
  #fragmentsLength = 0
  #fragmentsOpcode = 0

  // The header that was read last.
  #headerLength = 0
  #payloadLength = 0
  #opcode = 0
  #isFinal = false
  #key = 0

  /** `masked`: whether the peer is a client, which masks every frame; a server masks none. */
  constructor(options: { masked: boolean; messageLengthMax: number }, sink: FrameSink) {
    this.#masked = options.masked
    this.messageLengthMax = options.messageLengthMax
    this.#sink = sink
  }

  /** Nothing more is handed over, not even from the chunk being read. */
  stop(): void {
    this.#stopped = true
    this.#carry = maskable(EMPTY)
    this.#carryLength = 0
    this.#fragments = EMPTY
  }

  /** Reads the next bytes of the socket. The chunk is changed by unmasking. */
  push(chunk: Buffer): void {
    if (this.#stopped) return
    let offset = this.#carryLength > 0 ? this.#completeCarry(chunk) : 0
    if (this.#stopped || offset === chunk.length) return
    const memory = maskable(chunk)
    while (!this.#stopped) {
      if (!this.#readHeader(chunk, offset, chunk.length)) break
      const length = this.#headerLength + this.#payloadLength
      if (chunk.length - offset < length) break
      this.#takeFrame(memory, offset + this.#headerLength)
      offset += length
    }
    if (!this.#stopped && offset < chunk.length) this.#carryOver(chunk, offset, chunk.length)
  }

  /** Adds bytes of the chunk to the frame begun before, until it is whole; returns how many it took. */
  #completeCarry(chunk: Buffer): number {
    let offset = 0
    while (offset < chunk.length) {
      const complete = this.#readHeader(this.#carry.bytes, 0, this.#carryLength)
      if (this.#stopped) return offset
      const wanted = complete ? this.#headerLength + this.#payloadLength : this.#headerLength
      if (complete && this.#carryLength === wanted) break
      const end = offset + Math.min(wanted - this.#carryLength, chunk.length - offset)
      this.#carryOver(chunk, offset, end, wanted)
      offset = end
    }
    if (this.#readHeader(this.#carry.bytes, 0, this.#carryLength)) {
      if (this.#carryLength === this.#headerLength + this.#payloadLength) {
        this.#carryLength = 0
        this.#takeFrame(this.#carry, this.#headerLength)
      }
    }
    return offset
  }

  #carryOver(chunk: Buffer, start: number, end: number, wanted = 0): void {
    const length = this.#carryLength + end - start
    if (this.#carry.bytes.length < length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, wanted, HEADER_LENGTH_MAX))
      this.#carry.bytes.copy(grown, 0, 0, this.#carryLength)
      this.#carry = maskable(grown)
    }
    chunk.copy(this.#carry.bytes, this.#carryLength, start, end)
    this.#carryLength = length
  }

  /**
   * False when bytes are missing; `#headerLength` then says how many the header needs as far as is known. Checks
   * everything a header can break, so that a bad frame is refused before its payload is waited for.
   */
  #readHeader(buffer: Buffer, start: number, end: number): boolean {
    this.#headerLength = 2
    if (end - start < 2) return false
    const first = buffer[start]!
    const second = buffer[start + 1]!
    if ((first & 0x70) !== 0) return this.#violate(CloseCode.protocolError, 'reserved bits are set')
    this.#isFinal = first >= 0x80
    this.#opcode = first & 0x0f
    if (second >= 0x80 !== this.#masked) {
      return this.#violate(
        CloseCode.protocolError,
        this.#masked ? 'the frame is not masked' : 'the frame is masked',
      )
    }
    let length = second & 0x7f
    const lengthLength = length < 126 ? 0 : length === 126 ? 2 : 8
    if (!this.#checkOpcode(length)) return false
    this.#headerLength = 2 + lengthLength + (this.#masked ? 4 : 0)
    if (end - start < 2 + lengthLength) return false
    if (lengthLength === 2) {
      length = (buffer[start + 2]! << 8) | buffer[start + 3]!
    } else if (lengthLength === 8) {
      length = buffer.readUInt32BE(start + 2) * 0x1_0000_0000 + buffer.readUInt32BE(start + 6)
    }
    const gathered = this.#opcode === Opcode.continuation ? this.#fragmentsLength : 0
    if (gathered + length > this.messageLengthMax && this.#opcode < Opcode.close) {
      return this.#violate(CloseCode.tooBig, `the message is longer than ${this.messageLengthMax} bytes`)
    }
    this.#payloadLength = length
    if (end - start < this.#headerLength) return false
    if (this.#masked) this.#key = buffer.readInt32BE(start + this.#headerLength - 4)
    return true
  }

  #checkOpcode(shortLength: number): boolean {
    switch (this.#opcode) {
      case Opcode.continuation:
        if (this.#fragmentsOpcode !== 0) return true
        return this.#violate(CloseCode.protocolError, 'a continuation without a beginning')
      case Opcode.text:
      case Opcode.binary:
        if (this.#fragmentsOpcode === 0) return true
        return this.#violate(CloseCode.protocolError, 'a new message inside a fragmented one')
      case Opcode.close:
      case Opcode.ping:
      case Opcode.pong:
        if (this.#isFinal && shortLength <= CONTROL_LENGTH_MAX) return true
        return this.#violate(CloseCode.protocolError, 'a control frame that is fragmented or too long')
      default:
        return this.#violate(CloseCode.protocolError, 'an unknown frame type')
    }
  }

  #violate(code: CloseCode, reason: string): false {
    this.stop()
    this.#sink.violation(code, reason)
    return false
  }

  #takeFrame(memory: MaskableBytes, start: number): void {
    const end = start + this.#payloadLength
    if (this.#masked) applyMask(memory, start, end, this.#key)
    if (this.#opcode === Opcode.binary && this.#isFinal) this.#sink.message(memory.bytes, start, end, true)
    else if (this.#opcode >= Opcode.close) this.#takeControl(memory.bytes, start, end)
    else this.#takeFragment(memory.bytes, start, end)
  }

  #takeFragment(buffer: Buffer, start: number, end: number): void {
    if (this.#opcode !== Opcode.continuation) {
      if (this.#isFinal) return this.#takeText(buffer, start, end)
      this.#fragmentsOpcode = this.#opcode
    }
    const length = this.#fragmentsLength + end - start
    if (this.#fragments.length < length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(length * 2, 1_024), this.messageLengthMax))
      this.#fragments.copy(grown, 0, 0, this.#fragmentsLength)
      this.#fragments = grown
    }
    buffer.copy(this.#fragments, this.#fragmentsLength, start, end)
    this.#fragmentsLength = length
    if (!this.#isFinal) return
    const message = this.#fragments
    const isBinary = this.#fragmentsOpcode === Opcode.binary
    this.#fragments = EMPTY
    this.#fragmentsLength = 0
    this.#fragmentsOpcode = 0
    if (isBinary) this.#sink.message(message, 0, length, true)
    else this.#takeText(message, 0, length)
  }

  #takeText(buffer: Buffer, start: number, end: number): void {
    if (isUtf8(buffer.subarray(start, end))) this.#sink.message(buffer, start, end, false)
    else this.#violate(CloseCode.invalidText, 'a text message that is not UTF-8')
  }

  #takeControl(buffer: Buffer, start: number, end: number): void {
    if (this.#opcode === Opcode.ping) return this.#sink.ping(buffer, start, end)
    if (this.#opcode === Opcode.pong) return
    if (end === start) return this.#close(NO_CLOSE_CODE)
    const code = end - start === 1 ? 0 : buffer.readUInt16BE(start)
    if (!mayBeReceived(code)) {
      this.#violate(CloseCode.protocolError, 'a close frame without a valid code')
    } else if (!isUtf8(buffer.subarray(start + 2, end))) {
      this.#violate(CloseCode.invalidText, 'a close reason that is not UTF-8')
    } else {
      this.#close(code)
    }
  }

  #close(code: number): void {
    this.stop()
    this.#sink.closeFrame(code)
  }
}
