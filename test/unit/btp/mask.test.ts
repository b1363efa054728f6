import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import { applyMask, maskable, nextMaskKey } from '../../../plugins/btp/mask.ts'

describe('applyMask', () => {
  it('changes exactly the bytes of the range, at every alignment and length', () => {
    const memory = new ArrayBuffer(64)
    for (let base = 0; base < 4; base++) {
      for (let start = 0; start < 8; start++) {
        for (let length = 0; length < 24; length++) {
          const bytes = Buffer.from(memory, base, 48)
          for (let index = 0; index < 48; index++) bytes[index] = index * 7
          const key = [0xf1, 0x82, 0x03, 0xc4]
          const expected = Buffer.from(bytes)
          for (let index = 0; index < length; index++) expected[start + index]! ^= key[index & 3]!
          applyMask(maskable(bytes), start, start + length, 0xf18203c4 | 0)
          assert(bytes.equals(expected), `base ${base}, start ${start}, length ${length}`)
        }
      }
    }
  })

  it('works up to the last byte of memory that is not divisible by four', () => {
    const bytes = Buffer.from(new ArrayBuffer(7))
    applyMask(maskable(bytes), 0, 7, 0x01020304)
    expect(bytes.toString('hex')).toBe('01020304010203')
  })
})

describe('nextMaskKey', () => {
  it('does not repeat within many draws', () => {
    const keys = new Set(Array.from({ length: 5_000 }, nextMaskKey))
    expect(keys.size).toBeGreaterThan(4_990)
  })
})
