import { describe, expect, it } from 'vitest'
import type { Amount } from '../../../src/ilp/amount.ts'
import { readUInt64, writeUInt64 } from '../../../src/ilp/uint64.ts'

describe('UInt64 amounts', () => {
  it.each([
    [0n, 0],
    [1n, 1],
    [0xffff_ffffn, 0xffff_ffff],
    [0x1_0000_0000n, 0x1_0000_0000],
    [2n ** 53n - 1n, Number.MAX_SAFE_INTEGER],
    [2n ** 53n, 2n ** 53n],
    [2n ** 53n + 1n, 2n ** 53n + 1n],
    [2n ** 63n, 2n ** 63n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
  ])('%s is read as a number below 2^53 and as a bigint from there on', (value, amount) => {
    const bytes = Buffer.alloc(10, 0xee)
    bytes.writeBigUInt64BE(value, 1)
    expect(readUInt64(bytes, 1)).toBe(amount)
    const written = Buffer.alloc(10, 0xee)
    writeUInt64(written, 1, amount)
    expect(written).toEqual(bytes)
  })

  it('writes a bigint that would fit a number as well', () => {
    const bytes = Buffer.alloc(8)
    writeUInt64(bytes, 0, 5n)
    expect(readUInt64(bytes, 0)).toBe(5)
  })

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1n, 2n ** 64n] as Amount[])(
    'refuses to write %s and leaves the bytes alone',
    (amount) => {
      const bytes = Buffer.alloc(8, 0xee)
      expect(() => writeUInt64(bytes, 0, amount)).toThrow(/cannot carry the amount/)
      expect(bytes).toEqual(Buffer.alloc(8, 0xee))
    },
  )
})
