/** Smallest step, in units per millisecond: an eighth of a microsecond. */
const UNITS_PER_MS = 8_000
/** Steps per power of two: a bucket is at most 1/128 of its value wide. */
const SUB_BUCKETS_LOG2 = 7
const SUB_BUCKETS = 1 << SUB_BUCKETS_LOG2
/** Values go up to 2^31 units, 268 seconds; what is longer counts there. */
const UNITS_MAX = 0x7fff_ffff
const BUCKETS = (31 - SUB_BUCKETS_LOG2 + 1) * SUB_BUCKETS

/** Counts of latencies in log-linear buckets below 1 % wide: fixed memory, and nothing allocated per value. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #maxMs = 0

  get count(): number {
    return this.#count
  }

  /** Exact. 0 when nothing was added. */
  get maxMs(): number {
    return this.#maxMs
  }

  /** Counts one latency; below zero counts as zero. */
  add(milliseconds: number): void {
    const units = Math.min(Math.max(Math.round(milliseconds * UNITS_PER_MS), 0), UNITS_MAX)
    const bucket = bucketOf(units)
    this.#counts[bucket] = this.#counts[bucket]! + 1
    this.#count++
    if (milliseconds > this.#maxMs) this.#maxMs = milliseconds
  }

  /**
   * The latency that `share` of the values do not exceed, within 1 %. NaN when nothing was added.
   * @param share 0 to 1, e.g. 0.99
   */
  quantileMs(share: number): number {
    if (this.#count === 0) return Number.NaN
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!
      if (seen >= rank) return Math.min(middleOf(bucket) / UNITS_PER_MS, this.#maxMs)
    }
    return this.#maxMs
  }

  clear(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#maxMs = 0
  }
}

function bucketOf(units: number): number {
  if (units < SUB_BUCKETS) return units
  const shift = 31 - Math.clz32(units) - SUB_BUCKETS_LOG2
  return shift * SUB_BUCKETS + (units >>> shift)
}

function middleOf(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket
  const shift = (bucket >> SUB_BUCKETS_LOG2) - 1
  const low = (bucket - shift * SUB_BUCKETS) * 2 ** shift
  return low + (2 ** shift - 1) / 2
}
