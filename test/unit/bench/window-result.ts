import type { WindowResult } from '../../../bench/load/load.ts'

/** A result with figures that a test can tell apart. */
export function windowResult(change: Partial<WindowResult> = {}): WindowResult {
  return {
    seconds: 2,
    fulfilled: 2_000,
    failed: {},
    sent: 2_000,
    fulfilledByPayer: [2_000],
    sentByPayer: [2_000],
    everFulfilledByPayer: [3_000],
    latencyMs: { p50: 1, p99: 5, p999: 9, max: 20 },
    connectorCpuUs: 10_000,
    loadCpuUs: 4_000,
    connectorRssBytes: 100_000_000,
    ...change,
  }
}
