/** Middle value and both ends of some measurements. */
export interface Spread {
  median: number
  min: number
  max: number
}

/**
 * Median, smallest and largest of the values that are numbers; NaN stands for "not measurable here" and is left out.
 * Of an even count the mean of the middle two. All NaN when no value is left.
 */
export function median(values: readonly number[]): Spread {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  if (sorted.length === 0) return { median: Number.NaN, min: Number.NaN, max: Number.NaN }
  const upper = sorted.length >> 1
  const lower = (sorted.length - 1) >> 1
  return { median: (sorted[lower]! + sorted[upper]!) / 2, min: sorted[0]!, max: sorted.at(-1)! }
}
