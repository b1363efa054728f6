import assert from 'node:assert'
import type { Rational } from './rate-provider.ts'

/** Digits before and after the decimal point. Covers every price of a unit in another; keeps arithmetic bounded. */
const INTEGER_DIGITS_MAX = 30
const FRACTION_DIGITS_MAX = 30
const TEXT_LENGTH_MAX = 80
const DECIMAL = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/

/**
 * The exact value of a decimal such as `0.52`, `3` or `5.2e-7`; never negative. A whole number has denominator 1.
 * @throws RangeError for anything else, also for more than 30 digits before or after the point
 */
export function parseDecimal(text: string): Rational {
  const match = text.length <= TEXT_LENGTH_MAX ? DECIMAL.exec(text) : null
  if (match === null) throw new RangeError(`not a decimal number: "${text.slice(0, TEXT_LENGTH_MAX)}"`)
  const [, whole = '', fraction = '', exponentText = '0'] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return { numerator: 0n, denominator: 1n }
  const exponent = Number(exponentText) - fraction.length + (digits.length - significant.length)
  if (-exponent > FRACTION_DIGITS_MAX || significant.length + exponent > INTEGER_DIGITS_MAX) {
    throw new RangeError(
      `${text} has more than ${INTEGER_DIGITS_MAX} digits before or ${FRACTION_DIGITS_MAX} after the point`,
    )
  }
  const value = BigInt(significant)
  return exponent >= 0
    ? { numerator: value * 10n ** BigInt(exponent), denominator: 1n }
    : reduce(value, 10n ** BigInt(-exponent))
}

/**
 * Like {@link parseDecimal}, for a price: zero is refused.
 * @throws RangeError
 */
export function parsePrice(text: string): Rational {
  const price = parseDecimal(text)
  if (price.numerator === 0n) throw new RangeError('a price must be above zero')
  return price
}

/** The value as a decimal of at most `fractionDigitsMax` digits after the point, rounded down, no trailing zeros. */
export function formatDecimal(value: Rational, fractionDigitsMax: number): string {
  const scaled = (value.numerator * 10n ** BigInt(fractionDigitsMax)) / value.denominator
  const digits = scaled.toString().padStart(fractionDigitsMax + 1, '0')
  const point = digits.length - fractionDigitsMax
  const fraction = digits.slice(point).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, point) : `${digits.slice(0, point)}.${fraction}`
}

/** The same ratio in lowest terms. `denominator` must be above zero. */
export function reduce(numerator: bigint, denominator: bigint): Rational {
  assert(denominator > 0n, 'a ratio needs a denominator above zero')
  let a = numerator
  let b = denominator
  while (b !== 0n) [a, b] = [b, a % b]
  return { numerator: numerator / a, denominator: denominator / a }
}
