import { LATENCY_BUCKETS_SECONDS, type NodeStats } from './node-stats.ts'

export function createNodeStats(): NodeStats {
  return {
    preparesAccepted: 0,
    preparesRefused: 0,
    fulfills: 0,
    rejects: 0,
    wrongFulfills: 0,
    lateReplies: 0,
    packetsInFlight: 0,
    latencyCounts: new Float64Array(LATENCY_BUCKETS_SECONDS.length + 1),
    latencySumSeconds: 0,
    raisedByCode: new Map(),
    errors: new Map(),
    lastErrorAtMs: 0,
  }
}

/** Counts one answered packet. */
export function observeLatency(stats: NodeStats, milliseconds: number): void {
  const seconds = milliseconds / 1000
  let bucket = 0
  while (bucket < LATENCY_BUCKETS_SECONDS.length && seconds > LATENCY_BUCKETS_SECONDS[bucket]!) bucket++
  stats.latencyCounts[bucket]!++
  stats.latencySumSeconds += seconds
}

/** Counts a Reject that this node raised. */
export function countRaised(stats: NodeStats, code: string): void {
  stats.raisedByCode.set(code, (stats.raisedByCode.get(code) ?? 0) + 1)
}

export type FaultKind = 'packet_error' | 'ledger_error' | 'link_error' | 'rate_error'

/** Counts a fault that an operator should know of. */
export function countFault(
  stats: NodeStats,
  fault: { kind: FaultKind; severity: 'warning' | 'critical'; nowMs: number },
): void {
  const entry = stats.errors.get(fault.kind)
  if (entry === undefined) stats.errors.set(fault.kind, { severity: fault.severity, count: 1 })
  else entry.count++
  stats.lastErrorAtMs = fault.nowMs
}
