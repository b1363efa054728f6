import type { Quantity } from '../engine.ts'
import { AMOUNT_DIGITS_MAX, formatQuantity, parseQuantity, QuantityFormatError } from '../quantity.ts'

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
