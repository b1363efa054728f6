import { AMOUNT_MAX, type Amount, toAmount } from './amount.ts'
import {
  canonicalLengthSize,
  LENGTH_MALFORMED,
  lengthOf,
  lengthSize,
  readLength,
  writeLength,
} from './length-determinant.ts'
import { readUInt64, writeUInt64 } from './uint64.ts'

/**
 * The pieces of Canonical OER that Interledger uses (RFC 30), for messages off the packet path. Decoding
 * takes longer lengths than needed and ignores what follows the last field that the caller reads.
 */

const VAR_UINT_LENGTH_MAX = 8

/** Bytes that are not what the protocol says. The message says what is wrong, without the bytes. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}

/** Reads fields one after another. Every bound is checked before use; a failed read throws {@link DecodeError}. */
export class OerReader {
  readonly #buffer: Buffer
  readonly #end: number
  #at: number

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    if (!(start >= 0 && start <= end && end <= buffer.length))
      throw new RangeError('bounds outside the buffer')
    this.#buffer = buffer
    this.#at = start
    this.#end = end
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#at
  }

  readUInt8(field: string): number {
    return this.#buffer[this.#take(1, field)]!
  }

  readUInt16(field: string): number {
    return this.#buffer.readUInt16BE(this.#take(2, field))
  }

  readUInt32(field: string): number {
    return this.#buffer.readUInt32BE(this.#take(4, field))
  }

  readUInt64(field: string): Amount {
    return readUInt64(this.#buffer, this.#take(8, field))
  }

  /** A view of the next `length` bytes, not a copy. */
  readOctets(length: number, field: string): Buffer {
    const at = this.#take(length, field)
    return this.#buffer.subarray(at, at + length)
  }

  /** A view of a variable-length octet string of at most `lengthMax` bytes, not a copy. */
  readVarOctets(lengthMax: number, field: string): Buffer {
    const packed = readLength(this.#buffer, this.#at, this.#end)
    if (packed === LENGTH_MALFORMED) throw new DecodeError(`the length of ${field} is malformed`)
    if (packed < 0) throw new DecodeError(`${field} runs past the end`)
    const length = lengthOf(packed)
    if (length > lengthMax)
      throw new DecodeError(`${field} has ${length} bytes, at most ${lengthMax} are allowed`)
    const at = this.#at + lengthSize(packed)
    this.#at = at + length
    return this.#buffer.subarray(at, at + length)
  }

  /** A variable-length unsigned integer up to 2^64-1. Leading zeros are taken, up to eight bytes in all. */
  readVarUInt(field: string): Amount {
    const bytes = this.readVarOctets(VAR_UINT_LENGTH_MAX, field)
    if (bytes.length === 0) throw new DecodeError(`${field} is an integer of no bytes`)
    let value = 0n
    for (const byte of bytes) value = (value << 8n) | BigInt(byte)
    return toAmount(value)
  }

  #take(length: number, field: string): number {
    if (length > this.#end - this.#at) throw new DecodeError(`${field} runs past the end`)
    const at = this.#at
    this.#at += length
    return at
  }
}

/** Gathers fields and gives them as one buffer. Values out of range throw a RangeError. */
export class OerWriter {
  readonly #parts: Uint8Array[] = []

  writeUInt8(value: number): this {
    return this.#writeUInt(value, 1)
  }

  writeUInt16(value: number): this {
    return this.#writeUInt(value, 2)
  }

  writeUInt32(value: number): this {
    return this.#writeUInt(value, 4)
  }

  writeUInt64(value: Amount): this {
    const bytes = Buffer.alloc(8)
    writeUInt64(bytes, 0, value)
    return this.writeOctets(bytes)
  }

  /** Bytes as they are: the reader must know their number. They are kept, not copied, until `finish`. */
  writeOctets(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    return this
  }

  writeVarOctets(bytes: Uint8Array): this {
    const length = Buffer.alloc(canonicalLengthSize(bytes.length))
    writeLength(length, 0, bytes.length)
    return this.writeOctets(length).writeOctets(bytes)
  }

  /** 0..2^64-1, without leading zeros. */
  writeVarUInt(value: Amount): this {
    if (typeof value === 'number' && !Number.isSafeInteger(value))
      throw new RangeError(`not an integer: ${value}`)
    const integer = BigInt(value)
    if (integer < 0n || integer > AMOUNT_MAX)
      throw new RangeError(`not an integer from 0 to 2^64-1: ${value}`)
    const hex = integer.toString(16)
    return this.writeVarOctets(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #writeUInt(value: number, length: number): this {
    if (!(Number.isInteger(value) && value >= 0 && value < 256 ** length))
      throw new RangeError(`${value} is no unsigned integer of ${length} bytes`)
    const bytes = Buffer.alloc(length)
    bytes.writeUIntBE(value, 0, length)
    return this.writeOctets(bytes)
  }
}
