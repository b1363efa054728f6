import assert from 'node:assert'
import { AMOUNT_MAX, type Amount, toAmount } from '../ilp/amount.ts'
import { reduce } from './decimal.ts'
import type { Asset, Rational } from './rate-provider.ts'

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER)
const SCALE_MAX = 255

/** Turns amounts of one account into amounts of another, at one rate and spread. */
export interface Conversion {
  /** Every amount stays what it is: same asset and scale, no spread. */
  readonly isIdentity: boolean
  /** The exact ratio in lowest terms: smallest outgoing units per smallest incoming unit, after spread. */
  readonly ratio: Rational
  /**
   * floor(amount * ratio), exact: the rest of the division stays with us, never with the next account.
   * `undefined` when the result is above 2^64-1, which no packet can carry.
   */
  convert(amount: Amount): Amount | undefined
}

/**
 * Prepares the conversion between two accounts; done once per pair and version of the rates, not per packet.
 * @param rate whole units of `to` per whole unit of `from`, above zero
 * @param spread the part of the value that we keep: 0 (`0/1`) up to, not including, 1
 */
export function compileConversion(rate: Rational, from: Asset, to: Asset, spread: Rational): Conversion {
  assert(rate.numerator > 0n && rate.denominator > 0n, 'a rate is above zero')
  assert(
    spread.numerator >= 0n && spread.numerator < spread.denominator,
    'a spread is at least 0 and below 1',
  )
  assertScale(from)
  assertScale(to)
  const ratio = reduce(
    rate.numerator * (spread.denominator - spread.numerator) * powerOfTen(to.scale - from.scale),
    rate.denominator * spread.denominator * powerOfTen(from.scale - to.scale),
  )
  if (ratio.numerator === ratio.denominator) {
    return { isIdentity: true, ratio, convert: (amount) => amount }
  }
  return { isIdentity: false, ratio, convert: converter(ratio) }
}

function converter({ numerator, denominator }: Rational): Conversion['convert'] {
  const isSmall = numerator <= SAFE_MAX && denominator <= SAFE_MAX
  const factor = isSmall ? Number(numerator) : 0
  const divisor = isSmall ? Number(denominator) : 1
  /** Largest amount whose product with the factor is an exact double. */
  const amountFastMax = isSmall ? Number(SAFE_MAX / numerator) : -1

  return (amount) => {
    if (typeof amount === 'number' && amount <= amountFastMax) {
      const product = amount * factor
      const quotient = Math.floor(product / divisor)
      // The division rounds to nearest and may land on the next integer; it never falls short of the true one.
      return quotient * divisor > product ? quotient - 1 : quotient
    }
    const result = (BigInt(amount) * numerator) / denominator
    return result > AMOUNT_MAX ? undefined : toAmount(result)
  }
}

function powerOfTen(exponent: number): bigint {
  return exponent > 0 ? 10n ** BigInt(exponent) : 1n
}

function assertScale(asset: Asset): void {
  assert(
    Number.isInteger(asset.scale) && asset.scale >= 0 && asset.scale <= SCALE_MAX,
    'an asset scale is a whole number from 0 to 255',
  )
}
