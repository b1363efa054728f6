/**
 * OER length determinants (RFC 30, "Length determinant") read without allocating: the result packs the
 * length, the number of bytes that told it, and whether they were the canonical ones.
 */

/** The length field itself is malformed: 0x80, or more than eight bytes of length. */
export const LENGTH_MALFORMED = -2
/** The length field, or the bytes that it announces, run past `end`. */
export const LENGTH_PAST_END = -1

/** Lengths above this are refused as past the end, so that a packed length stays a small integer. Bytes. */
const LENGTH_MAX = 2 ** 26 - 1
const LENGTH_OF_LENGTH_MAX = 8

/**
 * Reads the length determinant at `offset`. Longer encodings than needed are taken, as RFC 27 allows a
 * decoder to do, and marked as not canonical.
 * @returns a packed length for {@link lengthOf}, {@link lengthSize} and {@link isCanonicalLength}, or
 *   {@link LENGTH_MALFORMED} or {@link LENGTH_PAST_END}, both negative. A packed length is in bounds:
 *   the announced bytes lie before `end`.
 */
export function readLength(buffer: Uint8Array, offset: number, end: number): number {
  if (offset >= end) return LENGTH_PAST_END
  const first = buffer[offset]!
  if (first < 0x80) return first < end - offset ? (first << 5) | 3 : LENGTH_PAST_END
  return readLongLength(buffer, offset, end, first & 0x7f)
}

function readLongLength(buffer: Uint8Array, offset: number, end: number, size: number): number {
  if (size === 0 || size > LENGTH_OF_LENGTH_MAX) return LENGTH_MALFORMED
  const contentStart = offset + 1 + size
  if (contentStart > end) return LENGTH_PAST_END
  let length = 0
  // Eight bytes can pass 2^53: the sum is then inexact, but still far above LENGTH_MAX.
  for (let at = offset + 1; at < contentStart; at++) length = length * 256 + buffer[at]!
  if (length > LENGTH_MAX || length > end - contentStart) return LENGTH_PAST_END
  const canonical = length > 127 && buffer[offset + 1] !== 0 ? 1 : 0
  return (length << 5) | ((size + 1) << 1) | canonical
}

/** Bytes announced by a packed length. */
export function lengthOf(packed: number): number {
  return packed >> 5
}

/** Bytes that the length determinant itself takes: 1..9. */
export function lengthSize(packed: number): number {
  return (packed >> 1) & 15
}

/** True when the determinant was the shortest one for its length. */
export function isCanonicalLength(packed: number): boolean {
  return (packed & 1) === 1
}

/** Bytes of the canonical length determinant of `length`. */
export function canonicalLengthSize(length: number): number {
  if (length < 0x80) return 1
  if (length < 0x100) return 2
  if (length < 0x1_0000) return 3
  return length < 0x100_0000 ? 4 : 5
}

/**
 * Writes the canonical length determinant of `length` (below 2^32). The caller has checked the room.
 * @returns the offset after it
 */
export function writeLength(target: Uint8Array, offset: number, length: number): number {
  if (length < 0x80) {
    target[offset] = length
    return offset + 1
  }
  const end = offset + canonicalLengthSize(length)
  target[offset] = 0x80 | (end - offset - 1)
  let rest = length
  for (let at = end - 1; at > offset; at--) {
    target[at] = rest & 0xff
    rest >>>= 8
  }
  return end
}
