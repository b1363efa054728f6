import type { Registry } from 'prom-client'
import type { AccountTraffic } from '../forwarding/node-stats.ts'
import type { Amount } from '../ilp/amount.ts'
import type { MetricDefinition, Sample } from './metric-definition.ts'
import { scrapeSamples } from './scraped-metric.ts'

/** What the account metrics read of an account; a `LedgerAccount` fits. */
interface AccountSample {
  readonly id: string
  readonly assetCode: string
  /** Smallest units; above zero we owe the peer. */
  readonly balance: Amount
  readonly creditLimit: Amount
}

/** What the link metrics read of a peer. */
interface PeerSample {
  readonly id: string
  readonly connected: boolean
  readonly packetsInFlight: number
}

/**
 * Accounts and peers that get series of their own. Each costs a scrape about 13 microseconds and 300 bytes over all
 * its metrics: ten thousand make a page of 3 MB. The rest is counted in `causeway_series_omitted`.
 */
export const SERIES_MAX = 10_000

export const ACCOUNT_METRICS = {
  balance: {
    name: 'account_balance_units',
    type: 'gauge',
    help: 'Current account balance in smallest units',
    labels: ['peer_id', 'token_id'],
    unit: 'smallest units of the asset; above zero we owe the peer, below zero the peer owes us',
  },
  credits: {
    name: 'account_credits_total',
    type: 'counter',
    help: 'Value credited to the account by packets since start, in smallest units',
    labels: ['peer_id'],
    unit: 'smallest units of the asset',
  },
  debits: {
    name: 'account_debits_total',
    type: 'counter',
    help: 'Value debited from the account by packets since start, in smallest units',
    labels: ['peer_id'],
    unit: 'smallest units of the asset',
  },
  creditLimit: {
    name: 'causeway_account_credit_limit_units',
    type: 'gauge',
    help: 'How far the balance of the account may go below zero, in smallest units',
    labels: ['peer_id', 'token_id'],
    unit: 'smallest units of the asset',
  },
  linkUp: {
    name: 'causeway_peer_link_up',
    type: 'gauge',
    help: 'Whether packets can be sent to the peer now: 1 or 0',
    labels: ['peer_id'],
    unit: '1 or 0',
  },
  inFlight: {
    name: 'causeway_peer_packets_in_flight',
    type: 'gauge',
    help: 'Packets from the peer that await an answer',
    labels: ['peer_id'],
    unit: 'packets',
  },
  omitted: {
    name: 'causeway_series_omitted',
    type: 'gauge',
    help: 'Accounts or peers without series of their own because there are too many of them',
    labels: ['kind'],
    unit: 'accounts or peers',
  },
} as const satisfies Record<string, MetricDefinition>

export interface AccountSources {
  /** Balances as last known. */
  accounts(): readonly AccountSample[]
  traffic(): readonly AccountTraffic[]
  peers(): readonly PeerSample[]
}

/** Metrics per account and per peer, bounded by {@link SERIES_MAX}. */
export function registerAccountMetrics(
  registry: Registry,
  sources: AccountSources,
  onError: (error: unknown) => void,
): void {
  const { balance, credits, debits, creditLimit, linkUp, inFlight, omitted } = ACCOUNT_METRICS
  const bounded = <T>(values: readonly T[]) => values.slice(0, SERIES_MAX)
  const perAccount = (read: (account: AccountSample) => Amount) => (): Sample[] =>
    bounded(sources.accounts()).map((account) => ({
      labels: { peer_id: account.id, token_id: account.assetCode },
      value: Number(read(account)),
    }))
  const perTraffic = (read: (traffic: AccountTraffic) => bigint) => (): Sample[] =>
    bounded(sources.traffic()).map((traffic) => ({
      labels: { peer_id: traffic.accountId },
      value: Number(read(traffic)),
    }))
  const perPeer = (read: (peer: PeerSample) => number) => (): Sample[] =>
    bounded(sources.peers()).map((peer) => ({ labels: { peer_id: peer.id }, value: read(peer) }))

  scrapeSamples(
    registry,
    balance,
    perAccount((account) => account.balance),
    onError,
  )
  scrapeSamples(
    registry,
    credits,
    perTraffic((traffic) => traffic.credited),
    onError,
  )
  scrapeSamples(
    registry,
    debits,
    perTraffic((traffic) => traffic.debited),
    onError,
  )
  scrapeSamples(
    registry,
    creditLimit,
    perAccount((account) => account.creditLimit),
    onError,
  )
  scrapeSamples(
    registry,
    linkUp,
    perPeer((peer) => (peer.connected ? 1 : 0)),
    onError,
  )
  scrapeSamples(
    registry,
    inFlight,
    perPeer((peer) => peer.packetsInFlight),
    onError,
  )
  scrapeSamples(
    registry,
    omitted,
    () => [
      { labels: { kind: 'account' }, value: Math.max(0, sources.accounts().length - SERIES_MAX) },
      { labels: { kind: 'peer' }, value: Math.max(0, sources.peers().length - SERIES_MAX) },
    ],
    onError,
  )
}
