import type { Quantity } from '../engine.ts'
import { AMOUNT_DIGITS_MAX, formatQuantity, parseQuantity, QuantityFormatError } from '../quantity.ts'

const TEN = 10n

/**
 * Reads the body of a settlement request.
 * @throws QuantityFormatError when it is not JSON, or no Quantity of RFC 38
 */
export function parseQuantityBody(body: Buffer): Quantity {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch {
    throw new QuantityFormatError('the body must be JSON: {"amount": "<digits>", "scale": <0 to 255>}')
  }
  return parseQuantity(json)
}

/** The quantity that a reply tells; undefined when it tells none: RFC 38 does not ask for it. */
export function readQuantityBody(body: Buffer): Quantity | undefined {
  try {
    return parseQuantityBody(body)
  } catch {
    return undefined
  }
}

/** The body that stands for a quantity: the same one every time. */
export function quantityBody(quantity: Quantity): string {
  return JSON.stringify(formatQuantity(quantity))
}

/** Whether it has few enough digits to be written. */
export function fitsBody(quantity: Quantity): boolean {
  return quantity.amount.toString().length <= AMOUNT_DIGITS_MAX
}

/** Below 0 when `left` is less, 0 when both are worth the same, above 0 when it is more. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  const scale = Math.max(left.scale, right.scale)
  const difference = amountAt(left, scale) - amountAt(right, scale)
  return difference === 0n ? 0 : difference < 0n ? -1 : 1
}

/** `left` - `right`, told at the coarsest scale that is exact. `right` must not be more. */
export function subtractQuantities(left: Quantity, right: Quantity): Quantity {
  let scale = Math.max(left.scale, right.scale)
  let amount = amountAt(left, scale) - amountAt(right, scale)
  while (scale > 0 && amount % TEN === 0n) {
    amount /= TEN
    scale--
  }
  return { amount, scale }
}

function amountAt(quantity: Quantity, scale: number): bigint {
  return quantity.amount * TEN ** BigInt(scale - quantity.scale)
}
