import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AMOUNT_MAX, type Amount, toAmount } from '../../../src/ilp/amount.ts'
import { compileConversion } from '../../../src/rates/conversion.ts'
import type { Rational } from '../../../src/rates/rate-provider.ts'

const ONE: Rational = { numerator: 1n, denominator: 1n }
const NO_SPREAD: Rational = { numerator: 0n, denominator: 1n }
const asset = (scale: number) => ({ code: 'X', scale })

const amounts = fc.oneof(
  fc.bigInt({ min: 0n, max: AMOUNT_MAX }),
  fc.bigInt({ min: 0n, max: 1_000_000n }),
  fc.constantFrom(0n, 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, AMOUNT_MAX),
)
const positive = fc.oneof(
  fc.bigInt({ min: 1n, max: 1000n }),
  fc.bigInt({ min: 1n, max: 2n ** 53n }),
  fc.bigInt({ min: 1n, max: 10n ** 30n }),
)
const rates = fc.record({ numerator: positive, denominator: positive })
const spreads = fc
  .bigInt({ min: 0n, max: 999_999_999n })
  .map((n) => ({ numerator: n, denominator: 1_000_000_000n }))
const scales = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 18 }))

function reference(amount: bigint, rate: Rational, from: number, to: number, spread: Rational): bigint {
  const kept = spread.denominator - spread.numerator
  return (
    (amount * rate.numerator * kept * 10n ** BigInt(to)) /
    (rate.denominator * spread.denominator * 10n ** BigInt(from))
  )
}

function isCanonical(amount: Amount): boolean {
  return typeof amount === 'number' ? Number.isSafeInteger(amount) : amount > 2n ** 53n - 1n
}

describe('compileConversion', () => {
  it('equals the exact quotient rounded down, or says that no packet can carry it', () => {
    fc.assert(
      fc.property(amounts, rates, scales, scales, spreads, (amount, rate, from, to, spread) => {
        const exact = reference(amount, rate, from, to, spread)
        const result = compileConversion(rate, asset(from), asset(to), spread).convert(toAmount(amount))
        if (exact > AMOUNT_MAX) {
          expect(result).toBeUndefined()
        } else {
          expect(result).toBe(toAmount(exact))
          expect(isCanonical(result as Amount)).toBe(true)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('is exact where amount times factor touches 2^53', () => {
    const near = fc.integer({ min: -3, max: 3 })
    const factors = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 31 }))
    const divisors = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 53 - 1 }))
    fc.assert(
      fc.property(factors, divisors, near, (factor, divisor, offset) => {
        const amount = BigInt(Math.max(0, Math.floor(2 ** 53 / factor) + offset))
        const rate = { numerator: BigInt(factor), denominator: BigInt(divisor) }
        const result = compileConversion(rate, asset(0), asset(0), NO_SPREAD).convert(toAmount(amount))
        const exact = (amount * BigInt(factor)) / BigInt(divisor)
        expect(result).toBe(exact > AMOUNT_MAX ? undefined : toAmount(exact))
      }),
      { numRuns: 5000 },
    )
  })

  it('is exact for quotients that a float division rounds up to the next whole number', () => {
    for (const divisor of [3, 7, 2 ** 26 + 1, 2 ** 27 - 1, 94906267]) {
      const quotient = Math.floor(Number.MAX_SAFE_INTEGER / divisor)
      const amount = quotient * divisor - 1
      const rate = { numerator: 1n, denominator: BigInt(divisor) }
      expect(compileConversion(rate, asset(0), asset(0), NO_SPREAD).convert(amount)).toBe(quotient - 1)
    }
  })

  it('never gives out more value than came in, there and back', () => {
    fc.assert(
      fc.property(amounts, rates, scales, scales, spreads, (amount, rate, from, to, spread) => {
        const back = { numerator: rate.denominator, denominator: rate.numerator }
        const there = compileConversion(rate, asset(from), asset(to), spread).convert(toAmount(amount))
        if (there === undefined) return
        const home = compileConversion(back, asset(to), asset(from), spread).convert(there)
        expect(home !== undefined && BigInt(home) <= amount).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('gives at least as much for more', () => {
    fc.assert(
      fc.property(amounts, amounts, rates, scales, scales, spreads, (a, b, rate, from, to, spread) => {
        const { convert } = compileConversion(rate, asset(from), asset(to), spread)
        const [less, more] = a < b ? [a, b] : [b, a]
        const low = convert(toAmount(less))
        const high = convert(toAmount(more))
        if (high !== undefined) expect(low !== undefined && low <= high).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('knows when nothing changes', () => {
    expect(compileConversion(ONE, asset(9), asset(9), NO_SPREAD).isIdentity).toBe(true)
    const rate = { numerator: 1000n, denominator: 1n }
    const cancelled = compileConversion(rate, asset(9), asset(6), NO_SPREAD)
    expect(cancelled.isIdentity).toBe(true)
    expect(cancelled.convert(AMOUNT_MAX)).toBe(AMOUNT_MAX)
    expect(compileConversion(ONE, asset(9), asset(6), NO_SPREAD).isIdentity).toBe(false)
    const spread = { numerator: 1n, denominator: 1_000_000_000n }
    expect(compileConversion(ONE, asset(9), asset(9), spread).isIdentity).toBe(false)
  })

  it('handles the extremes of scale', () => {
    const down = compileConversion(ONE, asset(255), asset(0), NO_SPREAD)
    expect(down.convert(AMOUNT_MAX)).toBe(0)
    const up = compileConversion(ONE, asset(0), asset(255), NO_SPREAD)
    expect(up.convert(0)).toBe(0)
    expect(up.convert(1)).toBeUndefined()
    const same = compileConversion(ONE, asset(255), asset(255), NO_SPREAD)
    expect(same.convert(AMOUNT_MAX)).toBe(AMOUNT_MAX)
  })

  it('keeps the spread', () => {
    const spread = { numerator: 2n, denominator: 1000n }
    const conversion = compileConversion(ONE, asset(9), asset(9), spread)
    expect(conversion.convert(1_000_000)).toBe(998_000)
    expect(conversion.convert(1)).toBe(0)
  })

  it('refuses a rate of zero, a spread of all and a scale out of range', () => {
    const zero = { numerator: 0n, denominator: 1n }
    expect(() => compileConversion(zero, asset(0), asset(0), NO_SPREAD)).toThrow(/above zero/)
    expect(() => compileConversion(ONE, asset(0), asset(0), ONE)).toThrow(/below 1/)
    expect(() => compileConversion(ONE, asset(256), asset(0), NO_SPREAD)).toThrow(/0 to 255/)
  })
})
