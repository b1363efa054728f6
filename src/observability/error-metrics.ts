import type { Registry } from 'prom-client'
import type { NodeStats } from '../forwarding/node-stats.ts'
import type { Clock } from '../lib/clock.ts'
import type { MetricDefinition, Sample } from './metric-definition.ts'
import { scrapeSamples } from './scraped-metric.ts'

export type ErrorSeverity = 'warning' | 'critical'

export const ERROR_METRICS = {
  errors: {
    name: 'connector_errors_total',
    type: 'counter',
    help: 'Total number of connector errors',
    labels: ['type', 'severity'],
    unit: 'errors',
  },
  lastError: {
    name: 'connector_last_error_timestamp',
    type: 'gauge',
    help: 'Timestamp of the last error',
    labels: [],
    unit: 'seconds since the Unix epoch; 0 when there was none',
  },
} as const satisfies Record<string, MetricDefinition>

/** Kinds that are there at zero from the start, so that the first fault is seen by `rate()`. */
const KNOWN_KINDS: [type: string, severity: ErrorSeverity][] = [
  ['packet_error', 'warning'],
  ['ledger_error', 'critical'],
  ['link_error', 'warning'],
  ['rate_error', 'warning'],
  ['settlement_error', 'critical'],
  ['api_error', 'critical'],
]

/** Kinds of errors outside the packet path: more than this means that a caller puts data into the kind. */
const KINDS_MAX = 100

/** Faults of the whole node: those of the packet path, and those that other parts record here. */
export class ErrorMetrics {
  readonly #stats: NodeStats
  readonly #clock: Clock
  readonly #own = new Map<string, { type: string; severity: ErrorSeverity; count: number }>()
  #lastAtMs = 0

  constructor(
    registry: Registry,
    deps: { stats: NodeStats; clock: Clock; onError: (error: unknown) => void },
  ) {
    this.#stats = deps.stats
    this.#clock = deps.clock
    scrapeSamples(registry, ERROR_METRICS.errors, () => this.#samples(), deps.onError)
    scrapeSamples(
      registry,
      ERROR_METRICS.lastError,
      () => [{ labels: {}, value: Math.max(this.#lastAtMs, this.#stats.lastErrorAtMs) / 1000 }],
      deps.onError,
    )
  }

  /** Counts a fault. `type` is a constant such as `settlement_error`, never data. */
  record(type: string, severity: ErrorSeverity): void {
    this.#lastAtMs = this.#clock.now()
    const key = `${type}/${severity}`
    const entry = this.#own.get(key)
    if (entry !== undefined) entry.count++
    else if (this.#own.size < KINDS_MAX) this.#own.set(key, { type, severity, count: 1 })
  }

  #samples(): Sample[] {
    const counts = new Map<string, Sample>()
    const add = (type: string, severity: ErrorSeverity, count: number) => {
      const key = `${type}/${severity}`
      const sample = counts.get(key)
      if (sample === undefined) counts.set(key, { labels: { type, severity }, value: count })
      else sample.value += count
    }
    for (const [type, severity] of KNOWN_KINDS) add(type, severity, 0)
    for (const [type, { severity, count }] of this.#stats.errors) add(type, severity, count)
    for (const { type, severity, count } of this.#own.values()) add(type, severity, count)
    return [...counts.values()]
  }
}
