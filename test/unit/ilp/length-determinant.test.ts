import { describe, expect, it } from 'vitest'
import {
  canonicalLengthSize,
  isCanonicalLength,
  LENGTH_MALFORMED,
  LENGTH_PAST_END,
  lengthOf,
  lengthSize,
  readLength,
  writeLength,
} from '../../../src/ilp/length-determinant.ts'

/** Reads `hex` followed by `room` bytes of content. */
const read = (hex: string, room: number) => {
  const bytes = Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(room)])
  return readLength(bytes, 0, bytes.length)
}

describe('readLength', () => {
  it.each([
    ['00', 0, true],
    ['7f', 127, true],
    ['8180', 128, true],
    ['81ff', 255, true],
    ['820100', 256, true],
    ['82ffff', 65_535, true],
    ['83010000', 65_536, true],
    ['8100', 0, false],
    ['817f', 127, false],
    ['820001', 1, false],
    ['8200ff', 255, false],
    ['83000100', 256, false],
    ['880000000000000005', 5, false],
    ['880000000000000100', 256, false],
  ])('%s announces %s bytes, canonical: %s', (hex, length, canonical) => {
    const packed = read(hex, length)
    expect(lengthOf(packed)).toBe(length)
    expect(lengthSize(packed)).toBe(hex.length / 2)
    expect(isCanonicalLength(packed)).toBe(canonical)
    if (length > 0) expect(read(hex, length - 1)).toBe(LENGTH_PAST_END)
  })

  it('refuses 0x80 and more than eight bytes of length', () => {
    expect(read('80', 100)).toBe(LENGTH_MALFORMED)
    expect(read('89000000000000000001', 100)).toBe(LENGTH_MALFORMED)
    expect(read('ff', 200)).toBe(LENGTH_MALFORMED)
  })

  it('refuses lengths that run past the end, up to 2^64-1', () => {
    expect(read('', 0)).toBe(LENGTH_PAST_END)
    expect(read('82', 0)).toBe(LENGTH_PAST_END)
    expect(read('8201', 0)).toBe(LENGTH_PAST_END)
    expect(read('8840000000000000ff', 300)).toBe(LENGTH_PAST_END)
    expect(read('88ffffffffffffffff', 300)).toBe(LENGTH_PAST_END)
    expect(read('8500000000ff', 254)).toBe(LENGTH_PAST_END)
    expect(read('8404000000', 300)).toBe(LENGTH_PAST_END)
  })
})

describe('writeLength', () => {
  it.each([0, 1, 127, 128, 255, 256, 65_535, 65_536, 0xff_ffff, 0x100_0000, 0xffff_ffff])(
    'writes %s in its shortest form',
    (length) => {
      const bytes = Buffer.alloc(6)
      const end = writeLength(bytes, 0, length)
      expect(end).toBe(canonicalLengthSize(length))
      const hex = bytes.toString('hex', 0, end)
      if (length < 128) expect(Number.parseInt(hex, 16)).toBe(length)
      else {
        expect(bytes[0]).toBe(0x80 + end - 1)
        expect(Number.parseInt(hex.slice(2), 16)).toBe(length)
        expect(bytes[1]).not.toBe(0)
      }
    },
  )
})
