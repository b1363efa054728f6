import type { Account } from '../forwarding/account.ts'
import type { NodeStats } from '../forwarding/node-stats.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { MetricsSources } from '../observability/metrics.ts'
import type { RateProvider } from '../rates/rate-provider.ts'

export interface MetricsSourcesDeps {
  stats: NodeStats
  accounts: () => Account[]
  ledger: Ledger
  rates: RateProvider
  ready: () => boolean
}

/** What the metrics read of the node when Prometheus asks. */
export function metricsSources({
  accounts,
  ledger,
  rates,
  ready,
  stats,
}: MetricsSourcesDeps): MetricsSources {
  return {
    stats,
    accounts: () => accounts().map((account) => account.ledger),
    traffic: () =>
      accounts().map((account) => ({
        accountId: account.id,
        assetCode: account.asset.code,
        credited: BigInt(account.credited),
        debited: BigInt(account.debited),
      })),
    peers: accounts,
    ledger,
    rates: () => rates.status(),
    ready,
  }
}
