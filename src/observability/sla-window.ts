import { LATENCY_BUCKETS_SECONDS, type NodeStats, type SlaSnapshot } from '../forwarding/node-stats.ts'
import type { Clock } from '../lib/clock.ts'
import type { SettlementCounts } from './settlement-metrics.ts'

/** Length of the window, as the operator API tells its figures. */
const WINDOW_MS = 300_000
/** Counts leave the window in steps of this length. */
const SLICE_MS = 5_000
const SLICES = WINDOW_MS / SLICE_MS

/**
 * Reject codes that count against this node when it raised them itself: it could not do its work (T00), could not
 * reach or hand over to the next hop (T01, T02), was too busy (T03), or had no answer in time (R00). Not counted:
 * F codes (the packet was wrong), R01 and R02 (the sender gave too little), T04 and T05 (limits that people set).
 */
const FAILURE_CODES = ['T00', 'T01', 'T02', 'T03', 'R00'] as const

/** Columns of one slice; the latency buckets follow. */
const ANSWERED = 0
const FAILED = 1
const SETTLED = 2
const SETTLEMENTS_FAILED = 3
const LATENCY = 4
const COLUMNS = LATENCY + LATENCY_BUCKETS_SECONDS.length + 1

/** Whether the window holds anything to judge by. */
export interface SlaReading extends SlaSnapshot {
  packets: number
  settlements: number
}

/**
 * Service levels over the last five minutes, from the differences of the node's counters between ticks: no work per
 * packet. What happened between two ticks counts as of the later one.
 */
export class SlaWindow {
  readonly #stats: NodeStats
  readonly #settlements: Readonly<SettlementCounts>
  readonly #clock: Clock
  readonly #slices = new Float64Array(SLICES * COLUMNS)
  readonly #seen = new Float64Array(COLUMNS)
  readonly #now = new Float64Array(COLUMNS)
  /** Number of the newest slice since the epoch. */
  #newest: number

  constructor(deps: { stats: NodeStats; settlements: Readonly<SettlementCounts>; clock: Clock }) {
    this.#stats = deps.stats
    this.#settlements = deps.settlements
    this.#clock = deps.clock
    this.#newest = Math.floor(deps.clock.now() / SLICE_MS)
    this.#read(this.#seen)
  }

  /** Takes in what happened since the last tick. Call it every few seconds; calling it more often does no harm. */
  tick(): void {
    this.#turn()
    this.#read(this.#now)
    const start = (this.#newest % SLICES) * COLUMNS
    for (let column = 0; column < COLUMNS; column++) {
      const delta = this.#now[column]! - this.#seen[column]!
      if (delta > 0) this.#slices[start + column]! += delta
    }
    this.#seen.set(this.#now)
  }

  /** The figures of the window. Nothing in it: rates 1, latency 0. */
  read(): SlaReading {
    this.tick()
    const sums = new Float64Array(COLUMNS)
    for (let index = 0; index < this.#slices.length; index++) sums[index % COLUMNS]! += this.#slices[index]!
    const failed = sums[FAILED]!
    // A failure is counted when it is raised, its answer right after: between the two a tick may fall.
    const packets = Math.max(sums[ANSWERED]!, failed)
    const settlements = sums[SETTLED]! + sums[SETTLEMENTS_FAILED]!
    return {
      packetSuccessRate: packets === 0 ? 1 : share(packets - failed, packets),
      settlementSuccessRate: settlements === 0 ? 1 : share(sums[SETTLED]!, settlements),
      p99LatencyMs: quantileMs(sums.subarray(LATENCY), 0.99),
      packets,
      settlements,
    }
  }

  /** Empties the slices that the clock has left behind. */
  #turn(): void {
    const slice = Math.floor(this.#clock.now() / SLICE_MS)
    const steps = slice - this.#newest
    if (Math.abs(steps) >= SLICES) {
      // A long pause, or the clock was set: nothing in the window can be dated any more.
      this.#slices.fill(0)
      this.#newest = slice
      return
    }
    // A clock set back a little: what happens now stays in the newest slice until time has caught up.
    for (let step = 0; step < steps; step++) {
      this.#newest++
      const start = (this.#newest % SLICES) * COLUMNS
      this.#slices.fill(0, start, start + COLUMNS)
    }
  }

  #read(target: Float64Array): void {
    const stats = this.#stats
    target[ANSWERED] = stats.fulfills + stats.rejects
    let failed = 0
    for (const code of FAILURE_CODES) failed += stats.raisedByCode.get(code) ?? 0
    target[FAILED] = failed
    target[SETTLED] = this.#settlements.succeeded
    target[SETTLEMENTS_FAILED] = this.#settlements.failed
    target.set(stats.latencyCounts, LATENCY)
  }
}

/** Four decimals, never rounded up to a full 1 while something failed. */
function share(part: number, whole: number): number {
  return Math.floor((part * 10_000) / whole) / 10_000
}

/**
 * The quantile by linear interpolation inside its bucket, as Prometheus' `histogram_quantile` does it; beyond the
 * last bound the last bound itself.
 */
function quantileMs(counts: Float64Array, quantile: number): number {
  let total = 0
  for (const count of counts) total += count
  if (total === 0) return 0
  const rank = quantile * total
  let below = 0
  let lower = 0
  for (const [index, upper] of LATENCY_BUCKETS_SECONDS.entries()) {
    const inBucket = counts[index]!
    if (inBucket > 0 && below + inBucket >= rank) {
      const seconds = lower + (upper - lower) * ((rank - below) / inBucket)
      return Math.round(seconds * 10_000) / 10
    }
    below += inBucket
    lower = upper
  }
  return lower * 1_000
}
