import { describe, expect, it } from 'vitest'
import {
  addQuantities,
  convertQuantity,
  floorToScale,
  formatQuantity,
  parseQuantity,
  QuantityFormatError,
} from '../../../src/settlement/quantity.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'

describe('conversion of quantities', () => {
  it('is exact to a finer scale', () => {
    expect(convertQuantity({ amount: 123n, scale: 2 }, 9)).toEqual({
      amount: 1_230_000_000n,
      remainder: { amount: 0n, scale: 9 },
    })
    expect(convertQuantity({ amount: 1n, scale: 0 }, 255).amount).toBe(10n ** 255n)
  })

  it('rounds down to a coarser scale and keeps the rest', () => {
    expect(convertQuantity({ amount: 1_999n, scale: 9 }, 6)).toEqual({
      amount: 1n,
      remainder: { amount: 999n, scale: 9 },
    })
    expect(convertQuantity({ amount: 999n, scale: 9 }, 6).amount).toBe(0n)
  })

  it('loses nothing over 1,000 random amounts and scales', () => {
    const random = new SeededRandom(20_261_122)
    for (let round = 0; round < 1_000; round++) {
      const quantity = { amount: randomAmount(random), scale: random.below(256) }
      const scale = random.below(256)
      const { amount, remainder } = convertQuantity(quantity, scale)
      const back = addQuantities({ amount, scale }, remainder)
      expect(convertQuantity(back, 255).amount).toBe(convertQuantity(quantity, 255).amount)
      if (scale >= quantity.scale) expect(remainder.amount).toBe(0n)
      else expect(remainder.amount).toBeLessThan(10n ** BigInt(quantity.scale - scale))
    }
  })

  it('floors an amount to what a coarser scale can tell', () => {
    expect(floorToScale(1_234_567n, 9, 6)).toBe(1_234_000n)
    expect(floorToScale(1_234_567n, 6, 9)).toBe(1_234_567n)
    expect(floorToScale(999n, 9, 6)).toBe(0n)
  })

  it('refuses negative amounts and scales that are none', () => {
    expect(() => convertQuantity({ amount: -1n, scale: 0 }, 0)).toThrow(RangeError)
    for (const scale of [-1, 256, 1.5, Number.NaN]) {
      expect(() => convertQuantity({ amount: 1n, scale }, 0)).toThrow(RangeError)
      expect(() => convertQuantity({ amount: 1n, scale: 0 }, scale)).toThrow(RangeError)
    }
  })
})

describe('quantities of RFC 38', () => {
  it('are read as they are written', () => {
    for (const quantity of [
      { amount: 0n, scale: 0 },
      { amount: 10n ** 78n - 1n, scale: 255 },
      { amount: 100n, scale: 2 },
    ]) {
      expect(parseQuantity(formatQuantity(quantity))).toEqual(quantity)
    }
  })

  it.each([
    ['no object', 'hello'],
    ['nothing', null],
    ['an array', ['1', 2]],
    ['no amount', { scale: 2 }],
    ['a number', { amount: 100, scale: 2 }],
    ['no digits', { amount: '', scale: 2 }],
    ['a minus sign', { amount: '-1', scale: 2 }],
    ['a plus sign', { amount: '+1', scale: 2 }],
    ['an exponent', { amount: '1e5', scale: 2 }],
    ['a fraction', { amount: '1.5', scale: 2 }],
    ['hexadecimal', { amount: '0x10', scale: 2 }],
    ['white space', { amount: ' 1', scale: 2 }],
    ['a line feed', { amount: '1\n', scale: 2 }],
    ['digits of another script', { amount: '١٢', scale: 2 }],
    ['79 digits', { amount: '1'.repeat(79), scale: 2 }],
    ['no scale', { amount: '1' }],
    ['a scale as text', { amount: '1', scale: '2' }],
    ['a scale above 255', { amount: '1', scale: 256 }],
    ['a scale below 0', { amount: '1', scale: -1 }],
    ['a broken scale', { amount: '1', scale: 2.5 }],
  ])('are refused with %s', (_, json) => {
    expect(() => parseQuantity(json)).toThrow(QuantityFormatError)
  })

  it('are not written when they could not be read', () => {
    expect(() => formatQuantity({ amount: 10n ** 78n, scale: 0 })).toThrow(RangeError)
    expect(() => formatQuantity({ amount: -1n, scale: 0 })).toThrow(RangeError)
  })
})

function randomAmount(random: SeededRandom): bigint {
  const digits = 1 + random.below(78)
  return BigInt(Array.from({ length: digits }, () => random.below(10)).join(''))
}
