import { parsePrice, reduce } from './decimal.ts'
import type { Rational } from './rate-provider.ts'

/** More assets than any feed quotes; bounds what a feed can make us hold. */
const ASSETS_MAX = 10_000
const ONE: Rational = { numerator: 1n, denominator: 1n }

/** Prices of assets in a base asset, and the cross rates that follow from them. Never changes. */
export class PriceTable {
  readonly baseAsset: string
  /** As they were given: decimal strings. */
  readonly prices: Readonly<Record<string, string>>
  readonly #exact = new Map<string, Rational>()

  /**
   * @param prices price of one whole unit of each asset in the base asset
   * @throws RangeError that names the asset when a price is not a decimal above zero within bounds
   */
  constructor(baseAsset: string, prices: Record<string, string>) {
    const entries = Object.entries(prices)
    if (entries.length > ASSETS_MAX) throw new RangeError(`more than ${ASSETS_MAX} prices`)
    for (const [code, text] of entries) {
      try {
        this.#exact.set(code, parsePrice(text))
      } catch (error) {
        throw new RangeError(`price of ${code.slice(0, 64)}: ${(error as Error).message}`)
      }
    }
    const own = this.#exact.get(baseAsset)
    if (own !== undefined && own.numerator !== own.denominator) {
      throw new RangeError(`price of ${baseAsset}: it is the base asset, so its price is 1; leave it out`)
    }
    this.#exact.set(baseAsset, ONE)
    this.baseAsset = baseAsset
    this.prices = { ...prices }
  }

  /** Whole units of `toCode` per whole unit of `fromCode`; undefined when either price is missing. */
  rate(fromCode: string, toCode: string): Rational | undefined {
    if (fromCode === toCode) return ONE
    const from = this.#exact.get(fromCode)
    const to = this.#exact.get(toCode)
    if (from === undefined || to === undefined) return undefined
    return reduce(from.numerator * to.denominator, from.denominator * to.numerator)
  }
}
