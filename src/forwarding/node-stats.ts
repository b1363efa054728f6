/**
 * Plain counters of the packet path, moved per packet and read at scrape time. `src/observability` turns them into
 * Prometheus metrics; nothing here allocates.
 */
export interface NodeStats {
  /** Prepares taken in, by outcome of taking: forwarded or answered here, or refused by us. */
  preparesAccepted: number
  preparesRefused: number
  /** Replies passed back to payers. */
  fulfills: number
  rejects: number
  /** Fulfills that were wrong (F05) or late. */
  wrongFulfills: number
  lateReplies: number
  packetsInFlight: number
  /** Upper bounds in seconds: {@link LATENCY_BUCKETS_SECONDS}; counts per bucket (not cumulative), last one is +Inf. */
  latencyCounts: Float64Array
  latencySumSeconds: number
  /** Rejects that this node raised, by ILP code. */
  raisedByCode: Map<string, number>
  /** Faults, by kind: `packet_error`, `ledger_error`, `link_error`, `rate_error`. */
  errors: Map<string, { severity: 'warning' | 'critical'; count: number }>
  /** Milliseconds since the epoch; 0 when there was none. */
  lastErrorAtMs: number
}

/** Bounds of `ilp_packet_latency_seconds`, as the operator API fixes them. */
export const LATENCY_BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1] as const

/** Service levels over a rolling window of five minutes. */
export interface SlaSnapshot {
  packetSuccessRate: number
  settlementSuccessRate: number
  p99LatencyMs: number
}

/** Value that moved through one account since start; decimal-exact. */
export interface AccountTraffic {
  accountId: string
  assetCode: string
  /** Smallest units credited to the account (packets delivered to it) and debited from it. */
  credited: bigint
  debited: bigint
}
