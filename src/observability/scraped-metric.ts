import assert from 'node:assert'
import type { Metric, Registry } from 'prom-client'
import type { HistogramSample, MetricDefinition, Sample } from './metric-definition.ts'

interface ExposedValue {
  metricName?: string
  labels: Record<string, string | number>
  value: number
}

/** Registers a counter or gauge whose values are read when Prometheus asks, from counters that others keep. */
export function scrapeSamples(
  registry: Registry,
  definition: MetricDefinition,
  read: () => Iterable<Sample>,
  onError: (error: unknown) => void,
): void {
  assert(definition.type !== 'histogram', `${definition.name} is a histogram`)
  register(registry, definition, onError, () => [...read()])
}

/** Registers a histogram from buckets that were counted elsewhere: nothing is observed one by one. */
export function scrapeHistogram(
  registry: Registry,
  definition: MetricDefinition,
  read: () => Iterable<HistogramSample>,
  onError: (error: unknown) => void,
): void {
  const bounds = definition.buckets
  assert(bounds !== undefined, `${definition.name} needs buckets`)
  register(registry, definition, onError, () => {
    const values: ExposedValue[] = []
    for (const sample of read()) values.push(...exposeHistogram(definition.name, bounds, sample))
    return values
  })
}

function exposeHistogram(name: string, bounds: readonly number[], sample: HistogramSample): ExposedValue[] {
  assert.equal(sample.counts.length, bounds.length + 1, `${name}: one count per bucket and one for +Inf`)
  const values: ExposedValue[] = []
  let cumulative = 0
  for (let index = 0; index < bounds.length; index++) {
    cumulative += sample.counts[index] as number
    const labels = { ...sample.labels, le: String(bounds[index]) }
    values.push({ metricName: `${name}_bucket`, labels, value: cumulative })
  }
  const count = cumulative + (sample.counts[bounds.length] as number)
  values.push({ metricName: `${name}_bucket`, labels: { ...sample.labels, le: '+Inf' }, value: count })
  values.push({ metricName: `${name}_sum`, labels: sample.labels, value: sample.sum })
  values.push({ metricName: `${name}_count`, labels: sample.labels, value: count })
  return values
}

function register(
  registry: Registry,
  definition: MetricDefinition,
  onError: (error: unknown) => void,
  read: () => ExposedValue[],
): void {
  const { name, help, type } = definition
  const get = async () => ({ name, help, type, values: guarded(read, onError), aggregator: 'sum' })
  // The registry asks a metric for its name and `get` alone; prom-client's own classes would force us to reset and
  // refill them, and cannot take buckets that are counted already.
  registry.registerMetric({ name, help, type, aggregator: 'sum', get } as unknown as Metric)
}

/** One source that fails must not cost the whole scrape: its series are missing and the failure is counted. */
function guarded(read: () => ExposedValue[], onError: (error: unknown) => void): ExposedValue[] {
  try {
    return read()
  } catch (error) {
    onError(error)
    return []
  }
}
