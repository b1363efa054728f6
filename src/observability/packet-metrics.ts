import type { Registry } from 'prom-client'
import { LATENCY_BUCKETS_SECONDS, type NodeStats } from '../forwarding/node-stats.ts'
import type { MetricDefinition } from './metric-definition.ts'
import { scrapeHistogram, scrapeSamples } from './scraped-metric.ts'

export const PACKET_METRICS = {
  processed: {
    name: 'ilp_packets_processed_total',
    type: 'counter',
    help: 'Total number of ILP packets processed',
    labels: ['type', 'status'],
    unit: 'packets',
  },
  latency: {
    name: 'ilp_packet_latency_seconds',
    type: 'histogram',
    help: 'ILP packet processing latency in seconds',
    labels: ['type'],
    unit: 'seconds',
    buckets: LATENCY_BUCKETS_SECONDS,
  },
  inFlight: {
    name: 'ilp_packets_in_flight',
    type: 'gauge',
    help: 'Current number of ILP packets being processed',
    labels: [],
    unit: 'packets',
  },
  raised: {
    name: 'causeway_rejects_raised_total',
    type: 'counter',
    help: 'Rejects raised by this node, by ILP error code; relayed ones are not counted',
    labels: ['code'],
    unit: 'packets',
  },
  wrongFulfills: {
    name: 'causeway_wrong_fulfills_total',
    type: 'counter',
    help: 'Fulfills whose preimage did not match the condition; answered with F05, no balance moved',
    labels: [],
    unit: 'packets',
  },
  lateReplies: {
    name: 'causeway_late_replies_total',
    type: 'counter',
    help: 'Replies of peers that came after the packet had expired; they change nothing',
    labels: [],
    unit: 'packets',
  },
} as const satisfies Record<string, MetricDefinition>

/** Metrics of the packet path, read from its plain counters at scrape time. */
export function registerPacketMetrics(
  registry: Registry,
  stats: NodeStats,
  onError: (error: unknown) => void,
): void {
  const { processed, latency, inFlight, raised, wrongFulfills, lateReplies } = PACKET_METRICS
  const one = (value: number) => [{ labels: {}, value }]
  scrapeSamples(
    registry,
    processed,
    () => [
      { labels: { type: 'prepare', status: 'success' }, value: stats.preparesAccepted },
      { labels: { type: 'prepare', status: 'error' }, value: stats.preparesRefused },
      { labels: { type: 'fulfill', status: 'success' }, value: stats.fulfills },
      { labels: { type: 'fulfill', status: 'error' }, value: stats.wrongFulfills },
      { labels: { type: 'reject', status: 'success' }, value: stats.rejects },
    ],
    onError,
  )
  scrapeHistogram(
    registry,
    latency,
    () => [{ labels: { type: 'prepare' }, counts: stats.latencyCounts, sum: stats.latencySumSeconds }],
    onError,
  )
  scrapeSamples(registry, inFlight, () => one(stats.packetsInFlight), onError)
  scrapeSamples(
    registry,
    raised,
    () => Array.from(stats.raisedByCode, ([code, value]) => ({ labels: { code }, value })),
    onError,
  )
  scrapeSamples(registry, wrongFulfills, () => one(stats.wrongFulfills), onError)
  scrapeSamples(registry, lateReplies, () => one(stats.lateReplies), onError)
}
