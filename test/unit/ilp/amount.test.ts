import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AMOUNT_MAX, add, assertAmount, parseAmount, subtract, toAmount } from '../../../src/ilp/amount.ts'

const value = fc.oneof(
  fc.bigInt({ min: 0n, max: AMOUNT_MAX }),
  fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
)
const isCanonical = (amount: number | bigint) =>
  typeof amount === 'number' ? Number.isSafeInteger(amount) : !Number.isSafeInteger(Number(amount))

describe('amounts', () => {
  it('add and subtract exactly on both sides of 2^53, always in the one canonical form', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const sum = add(toAmount(a), toAmount(b))
        const difference = subtract(toAmount(a), toAmount(b))
        expect(BigInt(sum)).toBe(a + b)
        expect(BigInt(difference)).toBe(a - b)
        expect(isCanonical(sum)).toBe(true)
        expect(isCanonical(difference)).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  it('parse from decimal text', () => {
    expect(parseAmount('0')).toBe(0)
    expect(parseAmount('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
    expect(parseAmount('9007199254740992')).toBe(2n ** 53n)
    expect(parseAmount('18446744073709551615')).toBe(AMOUNT_MAX)
    expect(() => parseAmount('18446744073709551616')).toThrow(/above the maximum/)
    for (const text of ['', '-1', '01', '1.0', '1e3', ' 1', '0x1']) {
      expect(() => parseAmount(text)).toThrow(/not a non-negative whole number/)
    }
  })

  it('assert that they are exact', () => {
    expect(() => assertAmount(0.5)).toThrow()
    expect(() => assertAmount(2 ** 53)).toThrow()
    expect(() => assertAmount(1)).not.toThrow()
    expect(() => assertAmount(2n ** 60n)).not.toThrow()
  })
})
