import assert from 'node:assert'

/**
 * An exact integer amount in units of an account's asset scale: a `number` whenever it is safe
 * (below 2^53), a `bigint` beyond. Never a fraction, never a lossy double.
 */
export type Amount = number | bigint

/** Largest amount a packet can carry (RFC 27: UInt64). */
export const AMOUNT_MAX = 2n ** 64n - 1n

/** The one canonical form: number when safe, bigint otherwise. */
export function toAmount(value: bigint): Amount {
  return value <= 9007199254740991n && value >= -9007199254740991n ? Number(value) : value
}

/** a + b, exact. */
export function add(a: Amount, b: Amount): Amount {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return toAmount(BigInt(a) + BigInt(b))
}

/** a - b, exact. */
export function subtract(a: Amount, b: Amount): Amount {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b
    if (Number.isSafeInteger(difference)) return difference
  }
  return toAmount(BigInt(a) - BigInt(b))
}

/**
 * Parses a decimal string of a non-negative integer up to `max`.
 * @throws RangeError when it is not one
 */
export function parseAmount(text: string, max: bigint = AMOUNT_MAX): Amount {
  if (!/^(0|[1-9]\d{0,39})$/.test(text))
    throw new RangeError(`not a non-negative whole number: "${text.slice(0, 60)}"`)
  const value = BigInt(text)
  if (value > max) throw new RangeError(`${text} is above the maximum of ${max}`)
  return toAmount(value)
}

/** Asserts the invariant of {@link Amount} on a value that our own code produced. */
export function assertAmount(value: Amount): void {
  assert(typeof value === 'bigint' || Number.isSafeInteger(value), 'amount must be an exact integer')
}
