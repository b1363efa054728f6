import { isAddress } from './address.ts'
import type { Amount } from './amount.ts'
import { canonicalLengthSize, writeLength } from './length-determinant.ts'
import {
  ADDRESS_LENGTH_MAX,
  DATA_LENGTH_MAX,
  type FulfillView,
  MESSAGE_LENGTH_MAX,
  PacketType,
  type PrepareView,
  type RejectView,
} from './packet-view.ts'
import { TIMESTAMP_LENGTH, writeTimestamp } from './timestamp.ts'
import { truncateUtf8 } from './truncate-utf8.ts'
import { writeUInt64 } from './uint64.ts'

/**
 * Writers of the three packets of RFC 27, always canonical OER. Those that take a target check the room
 * first and throw a RangeError when it is too small or a field is out of bounds; nothing useful is in the
 * target then. None allocates but for bigint amounts and messages that must be cut.
 */

const AMOUNT_LENGTH = 8
const HASH_LENGTH = 32
const CODE_LENGTH = 3
const PREPARE_FIXED_LENGTH = AMOUNT_LENGTH + TIMESTAMP_LENGTH + HASH_LENGTH
const NO_BYTES = Buffer.alloc(0)

/** What a Prepare says. */
export interface PrepareFields {
  /** 0..2^64-1, in units of the account's asset scale. */
  amount: Amount
  /** Whole milliseconds since the Unix epoch. */
  expiresAtMs: number
  /** 32 bytes. */
  condition: Uint8Array
  destination: string
  /** At most 32,767 bytes. Default: none. */
  data?: Uint8Array
}

/** A Prepare in a buffer of its own. */
export function encodePrepare(fields: PrepareFields): Buffer {
  const contentsLength =
    PREPARE_FIXED_LENGTH +
    variableLength(fields.destination.length) +
    variableLength((fields.data ?? NO_BYTES).length)
  const packet = Buffer.allocUnsafe(1 + variableLength(contentsLength))
  writePrepare(packet, 0, fields)
  return packet
}

/** @returns the offset after the packet */
export function writePrepare(target: Buffer, offset: number, fields: PrepareFields): number {
  const data = fields.data ?? NO_BYTES
  if (fields.condition.length !== HASH_LENGTH) throw new RangeError('a condition has exactly 32 bytes')
  if (!isAddress(fields.destination))
    throw new RangeError(`not an ILP address: "${fields.destination.slice(0, 60)}"`)
  checkData(data.length)
  const contentsLength =
    PREPARE_FIXED_LENGTH + variableLength(fields.destination.length) + variableLength(data.length)
  let at = writeEnvelope(target, offset, PacketType.prepare, contentsLength)
  writeUInt64(target, at, fields.amount)
  writeTimestamp(target, at + AMOUNT_LENGTH, fields.expiresAtMs)
  target.set(fields.condition, at + AMOUNT_LENGTH + TIMESTAMP_LENGTH)
  at = writeLength(target, at + PREPARE_FIXED_LENGTH, fields.destination.length)
  at += target.write(fields.destination, at, 'latin1')
  return writeOctets(target, at, data)
}

/**
 * Writes the Prepare of a view that is not canonical, as it stands after `patchPrepare`, in canonical form:
 * never longer than it came. The target must not overlap the view's own bytes.
 * @returns the offset after the packet
 */
export function reencodePrepare(view: PrepareView, target: Buffer, offset: number): number {
  const contentsLength =
    PREPARE_FIXED_LENGTH + variableLength(view.destinationLength) + variableLength(view.dataLength)
  const at = writeEnvelope(target, offset, PacketType.prepare, contentsLength)
  view.buffer.copy(target, at, view.amountOffset, view.amountOffset + PREPARE_FIXED_LENGTH)
  const destinationAt = at + PREPARE_FIXED_LENGTH
  const dataAt = copyOctets(
    view.buffer,
    view.destinationOffset,
    view.destinationLength,
    target,
    destinationAt,
  )
  return copyOctets(view.buffer, view.dataOffset, view.dataLength, target, dataAt)
}

/** A Fulfill in a buffer of its own. */
export function encodeFulfill(fulfillment: Uint8Array, data: Uint8Array = NO_BYTES): Buffer {
  const packet = Buffer.allocUnsafe(1 + variableLength(HASH_LENGTH + variableLength(data.length)))
  writeFulfill(packet, 0, fulfillment, data)
  return packet
}

/** @returns the offset after the packet */
export function writeFulfill(
  target: Buffer,
  offset: number,
  fulfillment: Uint8Array,
  data: Uint8Array,
): number {
  if (fulfillment.length !== HASH_LENGTH) throw new RangeError('a fulfillment has exactly 32 bytes')
  checkData(data.length)
  const at = writeEnvelope(target, offset, PacketType.fulfill, HASH_LENGTH + variableLength(data.length))
  target.set(fulfillment, at)
  return writeOctets(target, at + HASH_LENGTH, data)
}

/** {@link reencodePrepare} for a Fulfill. */
export function reencodeFulfill(view: FulfillView, target: Buffer, offset: number): number {
  const contentsLength = HASH_LENGTH + variableLength(view.dataLength)
  const at = writeEnvelope(target, offset, PacketType.fulfill, contentsLength)
  view.buffer.copy(target, at, view.fulfillmentOffset, view.fulfillmentOffset + HASH_LENGTH)
  return copyOctets(view.buffer, view.dataOffset, view.dataLength, target, at + HASH_LENGTH)
}

/** A Reject in a buffer of its own. */
export function encodeReject(
  code: string,
  triggeredBy: Uint8Array | string,
  message: string,
  data: Uint8Array = NO_BYTES,
): Buffer {
  const text = truncateUtf8(message, MESSAGE_LENGTH_MAX)
  const contentsLength = rejectContentsLength(triggeredBy.length, Buffer.byteLength(text), data.length)
  const packet = Buffer.allocUnsafe(1 + variableLength(contentsLength))
  writeReject(packet, 0, code, triggeredBy, text, data)
  return packet
}

/**
 * Writes a Reject. `triggeredBy` is our own address (checked when it was configured, so trusted here apart
 * from its length) or empty; `message` is cut after at most 8,191 bytes, between two characters.
 * @returns the offset after the packet
 */
export function writeReject(
  target: Buffer,
  offset: number,
  code: string,
  triggeredBy: Uint8Array | string,
  message: string,
  data: Uint8Array,
): number {
  if (!isCode(code)) throw new RangeError(`an ILP error code has three ASCII characters, not "${code}"`)
  if (triggeredBy.length > ADDRESS_LENGTH_MAX) throw new RangeError('triggeredBy is above 1023 bytes')
  checkData(data.length)
  const text = truncateUtf8(message, MESSAGE_LENGTH_MAX)
  const textLength = Buffer.byteLength(text)
  const contentsLength = rejectContentsLength(triggeredBy.length, textLength, data.length)
  let at = writeEnvelope(target, offset, PacketType.reject, contentsLength)
  for (let i = 0; i < CODE_LENGTH; i++) target[at++] = code.charCodeAt(i)
  if (typeof triggeredBy === 'string') {
    at = writeLength(target, at, triggeredBy.length)
    at += target.write(triggeredBy, at, 'latin1')
  } else {
    at = writeOctets(target, at, triggeredBy)
  }
  at = writeLength(target, at, textLength)
  at += target.write(text, at, 'utf8')
  return writeOctets(target, at, data)
}

/** {@link reencodePrepare} for a Reject. */
export function reencodeReject(view: RejectView, target: Buffer, offset: number): number {
  const contentsLength = rejectContentsLength(view.triggeredByLength, view.messageLength, view.dataLength)
  let at = writeEnvelope(target, offset, PacketType.reject, contentsLength)
  view.buffer.copy(target, at, view.codeOffset, view.codeOffset + CODE_LENGTH)
  at += CODE_LENGTH
  at = copyOctets(view.buffer, view.triggeredByOffset, view.triggeredByLength, target, at)
  at = copyOctets(view.buffer, view.messageOffset, view.messageLength, target, at)
  return copyOctets(view.buffer, view.dataOffset, view.dataLength, target, at)
}

/** Bytes of a variable octet string with its length. */
function variableLength(length: number): number {
  return canonicalLengthSize(length) + length
}

function rejectContentsLength(triggeredBy: number, message: number, data: number): number {
  return CODE_LENGTH + variableLength(triggeredBy) + variableLength(message) + variableLength(data)
}

function checkData(length: number): void {
  if (length > DATA_LENGTH_MAX)
    throw new RangeError(`data of an ILP packet is at most 32767 bytes, not ${length}`)
}

function isCode(code: string): boolean {
  return code.length === CODE_LENGTH && (code.charCodeAt(0) | code.charCodeAt(1) | code.charCodeAt(2)) <= 0x7f
}

/** @returns the offset of the contents; the room for all of them is checked */
function writeEnvelope(target: Buffer, offset: number, type: number, contentsLength: number): number {
  const needed = 1 + variableLength(contentsLength)
  if (!(offset >= 0 && offset + needed <= target.length))
    throw new RangeError(`the packet needs ${needed} bytes at ${offset} of ${target.length}`)
  target[offset] = type
  return writeLength(target, offset + 1, contentsLength)
}

function writeOctets(target: Buffer, offset: number, bytes: Uint8Array): number {
  const at = writeLength(target, offset, bytes.length)
  target.set(bytes, at)
  return at + bytes.length
}

function copyOctets(
  source: Buffer,
  sourceOffset: number,
  length: number,
  target: Buffer,
  offset: number,
): number {
  const at = writeLength(target, offset, length)
  source.copy(target, at, sourceOffset, sourceOffset + length)
  return at + length
}
