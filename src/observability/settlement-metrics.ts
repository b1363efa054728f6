import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { MetricDefinition } from './metric-definition.ts'

export type ChannelStatus = 'open' | 'closing' | 'disputed'
export type ChannelCloseReason = 'cooperative' | 'forced' | 'expired' | 'disputed'

/**
 * What settlement engines and the coordinator report. `method` is the engine's name (`evm`, `xrp`, `lightning`),
 * `token` the asset's code: both come from the configuration, so the number of series is bounded.
 * @public
 */
export interface SettlementMetrics {
  /** Makes the method's series present at zero, so that the first event is seen by `rate()`. Idempotent. */
  declareMethod(method: string, tokens: readonly string[]): void
  /** A settlement is final. `amount` in the smallest units of `token`. */
  settled(settlement: { method: string; token: string; amount: bigint; durationSeconds: number }): void
  /** A settlement was refused for good. */
  failed(settlement: { method: string; durationSeconds: number }): void
  /** How many channels are in `status` now. */
  channels(method: string, status: ChannelStatus, count: number): void
  channelFunded(method: string): void
  channelClosed(method: string, reason: ChannelCloseReason): void
  channelDisputed(method: string): void
}

/** Settlements that ended since start. */
export interface SettlementCounts {
  succeeded: number
  failed: number
}

export const SETTLEMENT_METRICS = {
  executed: {
    name: 'settlements_executed_total',
    type: 'counter',
    help: 'Total number of settlements executed',
    labels: ['method', 'status'],
    unit: 'settlements',
  },
  latency: {
    name: 'settlement_latency_seconds',
    type: 'histogram',
    help: 'Settlement operation latency in seconds',
    labels: ['method'],
    unit: 'seconds',
    buckets: [1, 3, 5, 10, 30, 60],
  },
  amount: {
    name: 'settlement_amount_total',
    type: 'counter',
    help: 'Total amount settled',
    labels: ['method', 'token'],
    unit: 'smallest units of the token',
  },
  channelsActive: {
    name: 'payment_channels_active',
    type: 'gauge',
    help: 'Number of active payment channels',
    labels: ['method', 'status'],
    unit: 'channels',
  },
  channelsFunded: {
    name: 'payment_channels_funded_total',
    type: 'counter',
    help: 'Total number of channels funded',
    labels: ['method'],
    unit: 'channels',
  },
  channelsClosed: {
    name: 'payment_channels_closed_total',
    type: 'counter',
    help: 'Total number of channels closed',
    labels: ['method', 'reason'],
    unit: 'channels',
  },
  channelsDisputed: {
    name: 'payment_channels_disputes_total',
    type: 'counter',
    help: 'Total number of channel disputes',
    labels: ['method'],
    unit: 'disputes',
  },
} as const satisfies Record<string, MetricDefinition>

const CHANNEL_STATUSES: readonly ChannelStatus[] = ['open', 'closing', 'disputed']
const CLOSE_REASONS: readonly ChannelCloseReason[] = ['cooperative', 'forced', 'expired', 'disputed']

/** Settlement and channel metrics. They have help and type from the start and no series until an engine is there. */
export class PrometheusSettlementMetrics implements SettlementMetrics {
  /** Read by the service-level window. */
  readonly counts: SettlementCounts = { succeeded: 0, failed: 0 }
  readonly #executed: Counter
  readonly #latency: Histogram
  readonly #amount: Counter
  readonly #active: Gauge
  readonly #funded: Counter
  readonly #closed: Counter
  readonly #disputed: Counter

  constructor(registry: Registry) {
    const registers = [registry]
    const config = (definition: MetricDefinition) => ({
      name: definition.name,
      help: definition.help,
      labelNames: [...definition.labels],
      registers,
    })
    this.#executed = new Counter(config(SETTLEMENT_METRICS.executed))
    const { latency } = SETTLEMENT_METRICS
    this.#latency = new Histogram({ ...config(latency), buckets: [...latency.buckets] })
    this.#amount = new Counter(config(SETTLEMENT_METRICS.amount))
    this.#active = new Gauge(config(SETTLEMENT_METRICS.channelsActive))
    this.#funded = new Counter(config(SETTLEMENT_METRICS.channelsFunded))
    this.#closed = new Counter(config(SETTLEMENT_METRICS.channelsClosed))
    this.#disputed = new Counter(config(SETTLEMENT_METRICS.channelsDisputed))
  }

  declareMethod(method: string, tokens: readonly string[]): void {
    this.#executed.inc({ method, status: 'success' }, 0)
    this.#executed.inc({ method, status: 'failure' }, 0)
    for (const token of tokens) this.#amount.inc({ method, token }, 0)
    for (const status of CHANNEL_STATUSES) this.#active.inc({ method, status }, 0)
    this.#funded.inc({ method }, 0)
    for (const reason of CLOSE_REASONS) this.#closed.inc({ method, reason }, 0)
    this.#disputed.inc({ method }, 0)
  }

  settled(settlement: { method: string; token: string; amount: bigint; durationSeconds: number }): void {
    const { method, token, amount, durationSeconds } = settlement
    this.counts.succeeded++
    this.#executed.inc({ method, status: 'success' })
    this.#amount.inc({ method, token }, Number(amount))
    this.#latency.observe({ method }, durationSeconds)
  }

  failed(settlement: { method: string; durationSeconds: number }): void {
    const { method, durationSeconds } = settlement
    this.counts.failed++
    this.#executed.inc({ method, status: 'failure' })
    this.#latency.observe({ method }, durationSeconds)
  }

  channels(method: string, status: ChannelStatus, count: number): void {
    this.#active.set({ method, status }, count)
  }

  channelFunded(method: string): void {
    this.#funded.inc({ method })
  }

  channelClosed(method: string, reason: ChannelCloseReason): void {
    this.#closed.inc({ method, reason })
  }

  channelDisputed(method: string): void {
    this.#disputed.inc({ method })
  }
}
