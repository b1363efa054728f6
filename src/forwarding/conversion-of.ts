import { type Conversion, compileConversion } from '../rates/conversion.ts'
import type { RateProvider } from '../rates/rate-provider.ts'
import type { Account } from './account.ts'

/** How amounts of the payer become amounts of the payee now; undefined while there is no current rate. */
export function conversionOf(payer: Account, payee: Account, rates: RateProvider): Conversion | undefined {
  const cached = payer.conversions[payee.ledger.index]
  const isCurrent =
    cached?.payee === payee &&
    cached.ratesVersion === rates.version &&
    cached.settingsVersion === payer.settingsVersion
  if (isCurrent) return cached.conversion
  const rate = rates.rate(payer.asset.code, payee.asset.code)
  const conversion =
    rate === undefined ? undefined : compileConversion(rate, payer.asset, payee.asset, payer.settings.spread)
  // Read after the rate: asking may find that it has gone stale.
  const { version: ratesVersion } = rates
  const { settingsVersion } = payer
  payer.conversions[payee.ledger.index] = { payee, ratesVersion, settingsVersion, conversion }
  return conversion
}
