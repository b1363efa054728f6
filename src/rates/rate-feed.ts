/** What a rate feed answered: prices as the decimal texts that were written there. */
export interface RateFeed {
  /** Asset the prices are in, when the feed says so. */
  baseAsset: string | undefined
  prices: Record<string, string>
}

const CODE_LENGTH_MAX = 32

/**
 * Reads `{ "base": "USD", "rates": { "XRP": "0.52", "EUR": 1.08 } }`. JSON numbers are taken by their literal text,
 * so that 0.1 stays one tenth. Other keys are ignored. Whether a price makes sense is checked by the price table.
 * @throws RangeError that says what is wrong with the text
 */
export function parseRateFeed(text: string): RateFeed {
  let feed: unknown
  try {
    feed = JSON.parse(text, keepNumberText)
  } catch {
    throw new RangeError('the reply is not JSON')
  }
  if (!isObject(feed)) throw new RangeError('the reply is not a JSON object')
  const { base, rates } = feed
  if (base !== undefined && typeof base !== 'string') throw new RangeError('"base" is not a string')
  if (!isObject(rates)) throw new RangeError('"rates" is missing or not an object')
  const prices: Record<string, string> = Object.create(null)
  for (const [code, price] of Object.entries(rates)) {
    if (code === '' || code.length > CODE_LENGTH_MAX)
      throw new RangeError('an asset code is empty or too long')
    if (typeof price !== 'string')
      throw new RangeError(`the price of ${code} is neither a string nor a number`)
    prices[code] = price
  }
  return { baseAsset: base, prices }
}

/** Reviver: gives numbers back as they were written. */
function keepNumberText(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? (context?.source ?? String(value)) : value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
