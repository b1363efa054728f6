import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDecimal, parseDecimal, parsePrice } from '../../../src/rates/decimal.ts'

describe('parseDecimal', () => {
  it('is exact', () => {
    expect(parseDecimal('0.52')).toEqual({ numerator: 13n, denominator: 25n })
    expect(parseDecimal('3')).toEqual({ numerator: 3n, denominator: 1n })
    expect(parseDecimal('0.1')).toEqual({ numerator: 1n, denominator: 10n })
    expect(parseDecimal('0012.500')).toEqual({ numerator: 25n, denominator: 2n })
    expect(parseDecimal('5.2e-7')).toEqual({ numerator: 13n, denominator: 25_000_000n })
    expect(parseDecimal('1.5E+3')).toEqual({ numerator: 1500n, denominator: 1n })
    expect(parseDecimal('0.000')).toEqual({ numerator: 0n, denominator: 1n })
    expect(parseDecimal('0e999')).toEqual({ numerator: 0n, denominator: 1n })
  })

  it('gives back what it was made from', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 30n - 1n }),
        fc.integer({ min: 0, max: 30 }),
        (n, digits) => {
          const padded = n.toString().padStart(digits + 1, '0')
          const text = digits === 0 ? padded : `${padded.slice(0, -digits)}.${padded.slice(-digits)}`
          const value = parseDecimal(text)
          expect(value.numerator * 10n ** BigInt(digits)).toBe(n * value.denominator)
          expect(parseDecimal(formatDecimal(value, 30))).toEqual(value)
        },
      ),
    )
  })

  it.each([
    ['', ' ', '1 ', '-1', '+1', '.5', '5.', '1,5', '0x10', 'NaN', 'Infinity', '1e', '1e1000', '1_000', '٣'],
    ['1e31', '1e-31', '9'.repeat(31), `0.${'0'.repeat(30)}1`, `1${'0'.repeat(100)}`],
  ])('refuses what is not a bounded decimal', (...texts) => {
    for (const text of texts) expect(() => parseDecimal(text), text).toThrow(RangeError)
  })

  it('refuses zero as a price', () => {
    expect(() => parsePrice('0.0')).toThrow(/above zero/)
    expect(parsePrice('0.5')).toEqual({ numerator: 1n, denominator: 2n })
  })
})

describe('formatDecimal', () => {
  it('rounds down and drops trailing zeros', () => {
    expect(formatDecimal({ numerator: 2n, denominator: 3n }, 5)).toBe('0.66666')
    expect(formatDecimal({ numerator: 1n, denominator: 4n }, 30)).toBe('0.25')
    expect(formatDecimal({ numerator: 7n, denominator: 1n }, 3)).toBe('7')
    expect(formatDecimal({ numerator: 7n, denominator: 2n }, 0)).toBe('3')
    expect(formatDecimal({ numerator: 1n, denominator: 1000n }, 2)).toBe('0')
  })
})
