/** Replies of the health endpoints, as the operator API fixes them. */

export interface DependencyStatus {
  status: 'up' | 'down'
  /** Milliseconds the last probe took; only while it is up. */
  latencyMs?: number
}

/** The ledger always stands under `tigerbeetle`, whatever keeps it; engines add theirs by name. */
export type DependencyStatuses = { tigerbeetle: DependencyStatus } & Record<string, DependencyStatus>

export interface HealthStatus {
  status: 'healthy' | 'degraded' | 'unhealthy' | 'starting'
  /** Whole seconds since start. */
  uptime: number
  peersConnected: number
  totalPeers: number
  /** ISO 8601, UTC. */
  timestamp: string
  nodeId: string
  /** Absent while starting, as the fields below. */
  version?: string
  dependencies?: DependencyStatuses
  sla?: { packetSuccessRate: number; settlementSuccessRate: number; p99LatencyMs: number }
}

export interface ReadinessStatus {
  status: 'ready' | 'not_ready'
  /** Absent while starting. */
  dependencies?: DependencyStatuses
  /** Why it is not ready. */
  reason?: string
  timestamp: string
}

export interface StartupStatus {
  status: 'started' | 'starting'
  timestamp: string
}

export interface LivenessStatus {
  status: 'alive'
  timestamp: string
}
