import { describeMetrics } from './describe-metrics.ts'
import type { MetricDefinition } from './metric-definition.ts'

/** The page `docs/reference/metrics.md`. */
export function metricsReference(): string {
  const lines = [
    '# Metrics',
    '',
    'Generated from the source; do not edit. What the node answers on `GET /metrics`, for Prometheus.',
    'Names that begin with `ilp_`, `settlement`, `account_`, `payment_channels_` and `connector_` are fixed by the',
    'operator API and do not change. [health-and-metrics.md](../health-and-metrics.md) tells how to read them.',
    '',
  ]
  for (const area of describeMetrics()) {
    lines.push(`## ${area.title}`, '')
    lines.push('| Metric | Type | Labels | Unit | Meaning |', '| --- | --- | --- | --- | --- |')
    for (const metric of area.metrics) lines.push(row(metric))
    lines.push('')
  }
  return lines.join('\n')
}

function row(metric: MetricDefinition): string {
  const labels = metric.labels.map((label) => `\`${label}\``).join(', ') || '-'
  const buckets = metric.buckets === undefined ? '' : ` Buckets: ${metric.buckets.join(', ')}.`
  return `| \`${metric.name}\` | ${metric.type} | ${labels} | ${metric.unit} | ${metric.help.replace(/\.$/, '')}.${buckets} |`
}
