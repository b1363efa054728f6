import { AMOUNT_MAX, type Amount } from './amount.ts'

const TWO_32 = 0x1_0000_0000
/** Upper half of the smallest amount that is no safe number: 2^53 / 2^32. */
const UNSAFE_UPPER_HALF = 0x20_0000

/** Reads a big-endian UInt64 (RFC 30): a number below 2^53, a bigint from there on. The caller has checked the bounds. */
export function readUInt64(buffer: Uint8Array, offset: number): Amount {
  const upper = readUInt32(buffer, offset)
  const lower = readUInt32(buffer, offset + 4)
  if (upper < UNSAFE_UPPER_HALF) return upper * TWO_32 + lower
  return (BigInt(upper) << 32n) | BigInt(lower)
}

/**
 * Writes `amount` as a big-endian UInt64. The caller has checked the room.
 * @throws RangeError when the amount is no integer in 0..2^64-1; nothing is written then
 */
export function writeUInt64(target: Uint8Array, offset: number, amount: Amount): void {
  if (typeof amount === 'number') {
    if (!Number.isSafeInteger(amount) || amount < 0) throw amountError(amount)
    const upper = Math.floor(amount / TWO_32)
    writeUInt32(target, offset, upper)
    writeUInt32(target, offset + 4, amount - upper * TWO_32)
    return
  }
  if (amount < 0n || amount > AMOUNT_MAX) throw amountError(amount)
  writeUInt32(target, offset, Number(amount >> 32n))
  writeUInt32(target, offset + 4, Number(amount & 0xffff_ffffn))
}

function amountError(amount: Amount): RangeError {
  return new RangeError(
    `an ILP packet cannot carry the amount ${amount}: it must be a whole number from 0 to 2^64-1`,
  )
}

function readUInt32(buffer: Uint8Array, offset: number): number {
  return (
    ((buffer[offset]! << 24) |
      (buffer[offset + 1]! << 16) |
      (buffer[offset + 2]! << 8) |
      buffer[offset + 3]!) >>>
    0
  )
}

function writeUInt32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24
  target[offset + 1] = value >>> 16
  target[offset + 2] = value >>> 8
  target[offset + 3] = value
}
