import type { Quantity } from './engine.ts'

/** Scales fit in one octet (RFC 38, "Quantity"). */
export const SCALE_MAX = 255
/** 2^256 - 1, the largest amount of any network that we settle on, has so many digits. */
export const AMOUNT_DIGITS_MAX = 78

/** A quantity as it travels over RFC 38. */
export interface QuantityJson {
  amount: string
  scale: number
}

/** A quantity that came from outside cannot be read. The message says which field and why. */
export class QuantityFormatError extends Error {
  override readonly name = 'QuantityFormatError'
}

/** An amount at a coarser scale and what was too fine for it. */
export interface ConvertedAmount {
  /** Units of the scale asked for, rounded down. */
  readonly amount: bigint
  /** The rest, at the finer of both scales: the two parts are exactly what was converted. */
  readonly remainder: Quantity
}

/**
 * The quantity in units of 10^-`scale`. To a finer scale it is exact, to a coarser one it is rounded down and the
 * rest is told.
 * @throws RangeError for a negative amount or a scale outside 0 to 255
 */
export function convertQuantity(quantity: Quantity, scale: number): ConvertedAmount {
  checkQuantity(quantity)
  checkScale(scale)
  if (scale >= quantity.scale) {
    const amount = quantity.amount * powerOfTen(scale - quantity.scale)
    return { amount, remainder: { amount: 0n, scale } }
  }
  const unit = powerOfTen(quantity.scale - scale)
  const remainder = { amount: quantity.amount % unit, scale: quantity.scale }
  return { amount: quantity.amount / unit, remainder }
}

/** The sum, exact, at the finer of both scales. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  const scale = Math.max(a.scale, b.scale)
  return { amount: convertQuantity(a, scale).amount + convertQuantity(b, scale).amount, scale }
}

/** Below 0 when `a` is worth less, 0 when both are worth the same, above 0 when it is worth more. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const scale = Math.max(a.scale, b.scale)
  const difference = convertQuantity(a, scale).amount - convertQuantity(b, scale).amount
  return difference === 0n ? 0 : difference < 0n ? -1 : 1
}

/** `a` - `b`, told at the coarsest scale that is exact. `b` must not be more. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  let scale = Math.max(a.scale, b.scale)
  let amount = convertQuantity(a, scale).amount - convertQuantity(b, scale).amount
  while (scale > 0 && amount % 10n === 0n) {
    amount /= 10n
    scale--
  }
  return { amount, scale }
}

/** The largest amount, in units of `fromScale`, that is at most `amount` and can be told exactly in `toScale`. */
export function floorToScale(amount: bigint, fromScale: number, toScale: number): bigint {
  if (toScale >= fromScale) return amount
  return amount - (amount % powerOfTen(fromScale - toScale))
}

/**
 * Reads `{ "amount": "<digits>", "scale": <0 to 255> }` (RFC 38).
 * @throws QuantityFormatError naming the field: signs, exponents, fractions, other characters, more than 78 digits,
 * scales that are not whole numbers from 0 to 255
 */
export function parseQuantity(json: unknown): Quantity {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new QuantityFormatError('a quantity is an object with "amount" (string of digits) and "scale"')
  }
  const { amount, scale } = json as { amount?: unknown; scale?: unknown }
  if (typeof amount !== 'string' || !/^[0-9]+$/.test(amount)) {
    throw new QuantityFormatError('"amount" must be a string of decimal digits, without sign or exponent')
  }
  if (amount.length > AMOUNT_DIGITS_MAX) {
    throw new QuantityFormatError(`"amount" must have at most ${AMOUNT_DIGITS_MAX} digits`)
  }
  if (typeof scale !== 'number' || !isScale(scale)) {
    throw new QuantityFormatError(`"scale" must be a whole number from 0 to ${SCALE_MAX}`)
  }
  return { amount: BigInt(amount), scale }
}

/**
 * As RFC 38 writes it.
 * @throws RangeError for what {@link parseQuantity} would not read
 */
export function formatQuantity(quantity: Quantity): QuantityJson {
  checkQuantity(quantity)
  const amount = quantity.amount.toString()
  if (amount.length > AMOUNT_DIGITS_MAX) {
    throw new RangeError(`an amount of more than ${AMOUNT_DIGITS_MAX} digits cannot be written`)
  }
  return { amount, scale: quantity.scale }
}

/** @throws RangeError for a negative amount or a scale outside 0 to 255 */
export function checkQuantity(quantity: Quantity): void {
  if (quantity.amount < 0n) throw new RangeError(`amount ${quantity.amount} must not be negative`)
  checkScale(quantity.scale)
}

function checkScale(scale: number): void {
  if (!isScale(scale)) throw new RangeError(`scale ${scale} must be a whole number from 0 to ${SCALE_MAX}`)
}

function isScale(scale: number): boolean {
  return Number.isInteger(scale) && scale >= 0 && scale <= SCALE_MAX
}

function powerOfTen(exponent: number): bigint {
  return 10n ** BigInt(exponent)
}
