import type { RateService } from '../admin/services.ts'
import { formatDecimal } from '../rates/decimal.ts'
import type { RateProvider, RateStatus } from '../rates/rate-provider.ts'

const QUOTE_DIGITS = 30

/** Exchange rates as operators see them. */
export class Rates implements RateService {
  readonly #provider: RateProvider

  constructor(provider: RateProvider) {
    this.#provider = provider
  }

  status(): RateStatus {
    return this.#provider.status()
  }

  quote(from: string, to: string): string | undefined {
    const rate = this.#provider.rate(from, to)
    return rate === undefined ? undefined : formatDecimal(rate, QUOTE_DIGITS)
  }
}
