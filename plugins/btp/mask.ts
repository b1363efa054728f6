import { randomFillSync } from 'node:crypto'

/** Memory with a second view as 32-bit words, so that masks are applied four bytes at a time. */
export interface MaskableBytes {
  bytes: Buffer
  /** The whole `ArrayBuffer` under `bytes`, as far as it is divisible by four. */
  words: Uint32Array
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1
/** Keys drawn from the system at once: one call of 4 KiB costs as much as a few small ones. */
const KEYS_PER_DRAW = 1_024

const keys = new Int32Array(KEYS_PER_DRAW)
let keysUsed = KEYS_PER_DRAW

/** A fresh mask key from the system's random source (RFC 6455, 10.3 wants it unpredictable). */
export function nextMaskKey(): number {
  if (keysUsed === KEYS_PER_DRAW) {
    randomFillSync(keys)
    keysUsed = 0
  }
  return keys[keysUsed++]!
}

export function maskable(bytes: Buffer): MaskableBytes {
  return { bytes, words: new Uint32Array(bytes.buffer, 0, bytes.buffer.byteLength >>> 2) }
}

/**
 * Masks or unmasks the bytes from `start` to `end` in place (RFC 6455, 5.3). `key` holds the four key octets, the
 * first one in the highest bits.
 */
export function applyMask({ bytes, words }: MaskableBytes, start: number, end: number, key: number): void {
  const base = bytes.byteOffset
  let position = start
  let shift = 24
  while (position < end && ((base + position) & 3) !== 0) {
    bytes[position] = bytes[position]! ^ (key >>> shift)
    position++
    shift = (shift - 8) & 31
  }
  // The key as the word that lies over the next four bytes.
  const rotation = 24 - shift
  const rotated = rotation === 0 ? key : (key << rotation) | (key >>> (32 - rotation))
  const word = LITTLE_ENDIAN ? swapBytes(rotated) : rotated
  const wordEnd = (base + end) >>> 2
  let index = (base + position) >>> 2
  if (position < end) {
    for (; index < wordEnd; index++) words[index] = words[index]! ^ word
    position = Math.max(position, (wordEnd << 2) - base)
  }
  for (let left = 24; position < end; position++, left -= 8) {
    bytes[position] = bytes[position]! ^ (rotated >>> left)
  }
}

function swapBytes(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | ((word >>> 24) & 0xff)
}
