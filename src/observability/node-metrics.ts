import type { Registry } from 'prom-client'
import type { Clock } from '../lib/clock.ts'
import type { MetricDefinition, Sample } from './metric-definition.ts'
import { scrapeSamples } from './scraped-metric.ts'

export const NODE_METRICS = {
  build: {
    name: 'causeway_build_info',
    type: 'gauge',
    help: 'Always 1; the labels tell what runs',
    labels: ['version', 'node_id', 'node_version'],
    unit: '1',
  },
  ready: {
    name: 'causeway_ready',
    type: 'gauge',
    help: 'Whether the readiness probe answers 200: 1 or 0',
    labels: [],
    unit: '1 or 0',
  },
  ledgerUp: {
    name: 'causeway_ledger_up',
    type: 'gauge',
    help: 'Whether the ledger takes entries: 1 or 0',
    labels: [],
    unit: '1 or 0',
  },
  ledgerLatency: {
    name: 'causeway_ledger_latency_seconds',
    type: 'gauge',
    help: 'Time the last ledger probe or batch took; absent while the ledger is down',
    labels: [],
    unit: 'seconds',
  },
  ratesStale: {
    name: 'causeway_rates_stale',
    type: 'gauge',
    help: 'Whether exchange rates are older than allowed: 1 or 0',
    labels: [],
    unit: '1 or 0',
  },
  ratesAge: {
    name: 'causeway_rates_age_seconds',
    type: 'gauge',
    help: 'Age of the exchange rates in use; absent when there were none yet',
    labels: [],
    unit: 'seconds',
  },
  adminRequests: {
    name: 'causeway_admin_requests_total',
    type: 'counter',
    help: 'Requests answered by the operator server, by route pattern and HTTP status',
    labels: ['route', 'status'],
    unit: 'requests',
  },
  authFailures: {
    name: 'causeway_admin_authentication_failures_total',
    type: 'counter',
    help: 'Requests to the admin API without a valid token',
    labels: [],
    unit: 'requests',
  },
  scrapeErrors: {
    name: 'causeway_scrape_errors_total',
    type: 'counter',
    help: 'Metrics that could not be read during a scrape; their series were missing from it',
    labels: [],
    unit: 'metrics',
  },
} as const satisfies Record<string, MetricDefinition>

export interface NodeMetricsSources {
  ledger: { readonly available: boolean; readonly latencyMs: number | undefined }
  /** Undefined: the node has no rate provider. */
  rates?: (() => { stale: boolean; updatedAtMs: number | undefined }) | undefined
  ready?: (() => boolean) | undefined
}

/** Routes times statuses that can come from the registry stay far below this; beyond it nothing new is counted. */
const REQUEST_SERIES_MAX = 2_000

/** Metrics of the node itself and of its operator server. */
export class NodeMetrics {
  readonly #requests = new Map<string, Sample>()
  #authFailures = 0
  #scrapeErrors = 0

  /** One request of the operator server was answered. `route` is a pattern, never a path. */
  adminRequest(route: string, status: number): void {
    const key = `${status} ${route}`
    const sample = this.#requests.get(key)
    if (sample !== undefined) sample.value++
    else if (this.#requests.size < REQUEST_SERIES_MAX) {
      this.#requests.set(key, { labels: { route, status: String(status) }, value: 1 })
    }
  }

  authenticationFailed(): void {
    this.#authFailures++
  }

  scrapeFailed(): void {
    this.#scrapeErrors++
  }

  register(
    registry: Registry,
    options: { version: string; nodeId: string },
    deps: { sources: NodeMetricsSources; clock: Clock; onError: (error: unknown) => void },
  ): void {
    const { sources, clock } = deps
    const add = (definition: MetricDefinition, read: () => Iterable<Sample>) =>
      scrapeSamples(registry, definition, read, deps.onError)
    const one = (value: number | undefined): Sample[] => (value === undefined ? [] : [{ labels: {}, value }])
    const flag = (value: boolean | undefined) => one(value === undefined ? undefined : Number(value))
    const build = { version: options.version, node_id: options.nodeId, node_version: process.version }

    add(NODE_METRICS.build, () => [{ labels: build, value: 1 }])
    add(NODE_METRICS.ready, () => flag(sources.ready?.()))
    add(NODE_METRICS.ledgerUp, () => flag(sources.ledger.available))
    add(NODE_METRICS.ledgerLatency, () => {
      const { available, latencyMs } = sources.ledger
      return one(available && latencyMs !== undefined ? latencyMs / 1000 : undefined)
    })
    add(NODE_METRICS.ratesStale, () => flag(sources.rates?.().stale))
    add(NODE_METRICS.ratesAge, () => {
      const updatedAtMs = sources.rates?.().updatedAtMs
      return one(updatedAtMs === undefined ? undefined : Math.max(0, clock.now() - updatedAtMs) / 1000)
    })
    add(NODE_METRICS.adminRequests, () => this.#requests.values())
    add(NODE_METRICS.authFailures, () => one(this.#authFailures))
    add(NODE_METRICS.scrapeErrors, () => one(this.#scrapeErrors))
  }
}
