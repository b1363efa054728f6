import { setImmediate as nextTurn } from 'node:timers/promises'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { NodeStats } from '../forwarding/node-stats.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { type AccountSources, registerAccountMetrics } from './account-metrics.ts'
import { ErrorMetrics, type ErrorSeverity } from './error-metrics.ts'
import { NodeMetrics, type NodeMetricsSources } from './node-metrics.ts'
import { registerPacketMetrics } from './packet-metrics.ts'
import { OMITTED_PROCESS_METRICS } from './process-metrics.ts'
import { PrometheusSettlementMetrics } from './settlement-metrics.ts'
import { SettlementStateMetrics } from './settlement-state-metrics.ts'

export interface MetricsOptions {
  version: string
  nodeId: string
  /** Also `process_*` and `nodejs_*`. Default true. */
  processMetrics?: boolean
}

/** What the metrics read when Prometheus asks; every call must be cheap and must not wait. */
export interface MetricsSources extends AccountSources, NodeMetricsSources {
  stats: NodeStats
}

export interface MetricsDeps {
  sources: MetricsSources
  clock: Clock
  logger: Logger
}

/** Characters of a family, some half a millisecond of work, after which the event loop gets its turn. */
const LARGE_FAMILY_LENGTH = 20_000

/**
 * All metrics of the node in one registry of its own. Packet counters are read at scrape time: the packet path only
 * moves plain numbers.
 */
export class Metrics {
  /** Format of {@link expose}. */
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE
  readonly settlement: PrometheusSettlementMetrics
  readonly settlementState: SettlementStateMetrics
  readonly #registry = new Registry()
  readonly #errors: ErrorMetrics
  readonly #node = new NodeMetrics()
  #exposing: Promise<string> | undefined

  constructor(options: MetricsOptions, deps: MetricsDeps) {
    const { sources, clock, logger } = deps
    const onError = (error: unknown) => {
      this.#node.scrapeFailed()
      logger.warn('a metric could not be read', { error })
    }
    registerPacketMetrics(this.#registry, sources.stats, onError)
    this.settlement = new PrometheusSettlementMetrics(this.#registry)
    this.settlementState = new SettlementStateMetrics(this.#registry, { clock, onError })
    registerAccountMetrics(this.#registry, sources, onError)
    this.#errors = new ErrorMetrics(this.#registry, { stats: sources.stats, clock, onError })
    this.#node.register(this.#registry, options, { sources, clock, onError })
    if (options.processMetrics !== false) {
      collectDefaultMetrics({ register: this.#registry })
      for (const name of OMITTED_PROCESS_METRICS) this.#registry.removeSingleMetric(name)
    }
  }

  /** The page for Prometheus. Requests that come while one is made share it. */
  expose(): Promise<string> {
    this.#exposing ??= this.#render().finally(() => {
      this.#exposing = undefined
    })
    return this.#exposing
  }

  /** Family by family, so that packets get their turn between the large ones. */
  async #render(): Promise<string> {
    const families: string[] = []
    for (const { name } of this.#registry.getMetricsAsArray()) {
      const family = await this.#registry.getSingleMetricAsString(name)
      families.push(family)
      if (family.length > LARGE_FAMILY_LENGTH) await nextTurn()
    }
    return `${families.join('\n\n')}\n`
  }

  /** Counts a fault outside the packet path. `type` is a constant such as `settlement_error`. */
  recordError(type: string, severity: ErrorSeverity): void {
    this.#errors.record(type, severity)
  }

  /** One request of the operator server was answered. `route` is a pattern, never a path. */
  adminRequest(route: string, status: number): void {
    this.#node.adminRequest(route, status)
  }

  /** A request to the admin API came without a valid token. */
  authenticationFailed(): void {
    this.#node.authenticationFailed()
  }
}
