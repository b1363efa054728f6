import type { Clock } from '../lib/clock.ts'
import { PriceTable } from './price-table.ts'
import type { RateProvider, RateStatus, Rational } from './rate-provider.ts'

export interface FixedRatesOptions {
  provider: 'fixed'
  /** Asset the prices are in. */
  base: string
  /** Price of one whole unit of each asset in the base asset, decimal strings above zero. */
  prices: Record<string, string>
}

/** Rates from a table in the configuration. Never stale. */
export class FixedRates implements RateProvider {
  readonly #clock: Clock
  #table: PriceTable
  #updatedAtMs: number
  #version = 1

  /** @throws RangeError that names the asset for a price that cannot be used */
  constructor(options: FixedRatesOptions, deps: { clock: Clock }) {
    this.#clock = deps.clock
    this.#table = new PriceTable(options.base, options.prices)
    this.#updatedAtMs = deps.clock.now()
  }

  get version(): number {
    return this.#version
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  /**
   * Takes another table from now on, after a reload of the configuration.
   * @throws RangeError as the constructor does; the table in use stays
   */
  replace(options: FixedRatesOptions): void {
    this.#table = new PriceTable(options.base, options.prices)
    this.#updatedAtMs = this.#clock.now()
    this.#version++
  }

  rate(fromCode: string, toCode: string): Rational | undefined {
    return this.#table.rate(fromCode, toCode)
  }

  status(): RateStatus {
    return {
      source: 'fixed',
      prices: { ...this.#table.prices },
      baseAsset: this.#table.baseAsset,
      updatedAtMs: this.#updatedAtMs,
      stale: false,
    }
  }
}
