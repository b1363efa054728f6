/** An asset as an account holds it. */
export interface Asset {
  /** E.g. `USD`, `XRP`. */
  code: string
  /** Decimal places of the account's smallest unit: 9 means amounts are in billionths. 0 to 255. */
  scale: number
}

/** An exact ratio of positive integers. */
export interface Rational {
  numerator: bigint
  denominator: bigint
}

/** Where exchange rates come from. */
export interface RateProvider {
  start(): Promise<void>
  stop(): Promise<void>
  /**
   * Units of `to` (whole units, not scaled) that one whole unit of `from` buys, before spread. `undefined` when the
   * rate is not known or older than the staleness limit. Same code: always 1. Never blocks: reads the last value.
   */
  rate(fromCode: string, toCode: string): Rational | undefined
  /** Grows whenever any answer of `rate` may have changed, by a new value or by going stale. */
  readonly version: number
  status(): RateStatus
}

export interface RateStatus {
  source: 'fixed' | 'http'
  /** Price of one whole unit of each asset in the base asset, decimal strings. */
  prices: Record<string, string>
  baseAsset: string
  /** Milliseconds since the epoch. */
  updatedAtMs: number | undefined
  stale: boolean
  lastError?: string
}
