import type { WindowResult } from '../load/load.ts'
import { median, type Spread } from './median.ts'

/** Each figure of a window over its rounds. NaN where it could not be measured. */
export interface Summary {
  packetsPerSecond: Spread
  /** Microseconds of connector CPU per fulfilled packet. */
  connectorCpuUs: Spread
  loadCpuUs: Spread
  p50Ms: Spread
  p99Ms: Spread
  p999Ms: Spread
  connectorRssBytes: Spread
  /** Of all rounds together, by ILP code, `timeout`, `wrong` or `unsent`. */
  failed: Record<string, number>
}

/** Median and spread of the rounds of one window. */
export function summarize(results: readonly WindowResult[]): Summary {
  const over = (figure: (result: WindowResult) => number) => median(results.map(figure))
  const failed: Record<string, number> = {}
  for (const result of results) {
    for (const [kind, count] of Object.entries(result.failed)) failed[kind] = (failed[kind] ?? 0) + count
  }
  return {
    packetsPerSecond: over(({ fulfilled, seconds }) => fulfilled / seconds),
    connectorCpuUs: over(({ connectorCpuUs, fulfilled }) => connectorCpuUs / fulfilled),
    loadCpuUs: over(({ loadCpuUs, fulfilled }) => loadCpuUs / fulfilled),
    p50Ms: over(({ latencyMs }) => latencyMs.p50),
    p99Ms: over(({ latencyMs }) => latencyMs.p99),
    p999Ms: over(({ latencyMs }) => latencyMs.p999),
    connectorRssBytes: over(({ connectorRssBytes }) => connectorRssBytes),
    failed,
  }
}
