import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAmount, toSmallestUnits } from '../../../src/cli/format-amount.ts'

describe('amounts for people', () => {
  it.each([
    ['1234567', 6, '1.234567'],
    ['7', 6, '0.000007'],
    ['-7', 2, '-0.07'],
    ['42', 0, '42'],
    ['18446744073709551615', 9, '18446744073.709551615'],
    ['nonsense', 2, 'nonsense'],
  ])('%s at scale %i is %s', (units, scale, text) => {
    expect(formatAmount(units, scale)).toBe(text)
  })

  it('come back exactly as they were', () => {
    const seed = Date.now() % 2 ** 31
    console.log(`format-amount.test.ts: seed ${seed}`)
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.integer({ min: 0, max: 30 }), (units, scale) => {
        expect(toSmallestUnits(formatAmount(String(units), scale), scale)).toBe(String(units))
      }),
      { seed },
    )
  })

  it.each([
    ['1.234', 2],
    ['', 2],
    ['-1', 2],
    ['1e3', 2],
    ['0x10', 2],
    ['1.', 2],
  ])('%s at scale %i is refused', (text, scale) => {
    expect(() => toSmallestUnits(text, scale)).toThrow(RangeError)
  })
})
