/** What is known of a metric before it has a value: for the registry, `causeway metrics --list` and the reference. */
export interface MetricDefinition {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  /** Text of the HELP line. */
  help: string
  labels: readonly string[]
  /** What one step of the value is: `packets`, `seconds`, `smallest units of the asset` ... */
  unit: string
  /** Upper bounds, histograms only; +Inf is implied. */
  buckets?: readonly number[]
}

/** One series at one moment. */
export interface Sample {
  labels: Record<string, string>
  value: number
}

/** One histogram series at one moment. */
export interface HistogramSample {
  labels: Record<string, string>
  /** Observations per bucket, not cumulative; one more than `buckets`, the last one beyond all bounds. */
  counts: ArrayLike<number>
  sum: number
}
