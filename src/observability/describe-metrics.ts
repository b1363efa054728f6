import { ACCOUNT_METRICS } from './account-metrics.ts'
import { ERROR_METRICS } from './error-metrics.ts'
import type { MetricDefinition } from './metric-definition.ts'
import { NODE_METRICS } from './node-metrics.ts'
import { PACKET_METRICS } from './packet-metrics.ts'
import { PROCESS_METRICS } from './process-metrics.ts'
import { SETTLEMENT_METRICS } from './settlement-metrics.ts'
import { SETTLEMENT_STATE_METRICS } from './settlement-state-metrics.ts'

export interface MetricArea {
  title: string
  metrics: MetricDefinition[]
}

/** Every metric the node exposes, by area: for `causeway metrics --list` and the reference page. */
export function describeMetrics(): MetricArea[] {
  return [
    { title: 'Packets', metrics: Object.values(PACKET_METRICS) },
    { title: 'Accounts and peers', metrics: Object.values(ACCOUNT_METRICS) },
    {
      title: 'Settlement and payment channels',
      metrics: [...Object.values(SETTLEMENT_METRICS), ...Object.values(SETTLEMENT_STATE_METRICS)],
    },
    { title: 'Errors', metrics: Object.values(ERROR_METRICS) },
    { title: 'Node, ledger, rates and operator server', metrics: Object.values(NODE_METRICS) },
    { title: 'Process', metrics: [...PROCESS_METRICS] },
  ]
}
