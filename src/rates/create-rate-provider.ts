import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { FixedRates, type FixedRatesOptions } from './fixed-rates.ts'
import { HttpRates, type HttpRatesOptions } from './http-rates.ts'
import type { RateProvider } from './rate-provider.ts'

/**
 * The provider that the `rates` section of the configuration names.
 * @throws RangeError that names the price or option that cannot be used
 */
export function createRateProvider(
  options: FixedRatesOptions | HttpRatesOptions,
  deps: { clock: Clock; logger: Logger },
): RateProvider {
  switch (options.provider) {
    case 'fixed':
      return new FixedRates(options, deps)
    case 'http':
      return new HttpRates(options, deps)
  }
}
