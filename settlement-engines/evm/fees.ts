import type { FeeMarket } from './rpc-answers.ts'
import type { FeePair } from './tx-intent.ts'

/** Nodes replace a waiting transaction when both fees rise by this much at least. */
const BUMP_PERCENT = 10n
/** Room over the base fee, which rises by an eighth per full block: 2 holds for 6 full blocks, 3 for 9. */
const BASE_FEE_FACTOR = { calm: 2n, urgent: 3n } as const
/** Least priority fee, wei per gas: some pools refuse less. */
const PRIORITY_MIN = 1_000_000n
/** The priority fee doubles each time another fifth of the time to a deadline is gone: 16 fold in the last. */
const DEADLINE_STEPS = 5
const URGENT_PRIORITY_FACTOR = 2n

export interface FeeDemand {
  readonly urgency: 'calm' | 'urgent'
  /** From here the fees rise towards the deadline, if there is one; milliseconds since the epoch. */
  readonly createdMs: number
  readonly deadlineMs: number | undefined
  readonly nowMs: number
  /** Wei per gas; never exceeded. */
  readonly ceiling: bigint
}

/**
 * Fees for a transaction under EIP-1559. The maximum is cut to the ceiling; undefined when not even the next block's
 * base fee fits below it: waiting is better then.
 */
export function chooseFees(market: FeeMarket, demand: FeeDemand): FeePair | undefined {
  if (market.baseFee >= demand.ceiling) return undefined
  const isUrgent = demand.urgency === 'urgent'
  const asked = isUrgent ? market.priorityHigh * URGENT_PRIORITY_FACTOR : market.priorityMiddle
  const priority = max(asked, PRIORITY_MIN) * 2n ** BigInt(deadlineStep(demand))
  const wanted = market.baseFee * BASE_FEE_FACTOR[demand.urgency] + priority
  const maxFeePerGas = min(wanted, demand.ceiling)
  return { maxFeePerGas, maxPriorityFeePerGas: min(priority, maxFeePerGas) }
}

/**
 * Fees for a replacement under the same nonce: what the market asks for now, and at least the tenth more, of both,
 * that pools demand. Undefined when that is above the ceiling.
 */
export function bumpFees(
  previous: FeePair,
  fresh: FeePair | undefined,
  ceiling: bigint,
): FeePair | undefined {
  const maxFeePerGas = max(raised(previous.maxFeePerGas), fresh?.maxFeePerGas ?? 0n)
  const priority = max(raised(previous.maxPriorityFeePerGas), fresh?.maxPriorityFeePerGas ?? 0n)
  if (maxFeePerGas > ceiling) {
    // The market's wish may be above the ceiling where the least step is not.
    if (raised(previous.maxFeePerGas) > ceiling || raised(previous.maxPriorityFeePerGas) > ceiling)
      return undefined
    return { maxFeePerGas: ceiling, maxPriorityFeePerGas: min(priority, ceiling) }
  }
  return { maxFeePerGas, maxPriorityFeePerGas: min(priority, maxFeePerGas) }
}

/** The most per gas that keeps a transaction within its budget. All in wei. */
export function ceilingOf(feeBudget: bigint, gasLimit: bigint, maxFeePerGas: bigint): bigint {
  return min(feeBudget / gasLimit, maxFeePerGas)
}

/** How many times the priority fee has doubled: 0 to 4. */
function deadlineStep({ createdMs, deadlineMs, nowMs }: FeeDemand): number {
  if (deadlineMs === undefined) return 0
  const total = Math.max(deadlineMs - createdMs, 1)
  const gone = Math.max(nowMs - createdMs, 0)
  return Math.min(Math.floor((gone * DEADLINE_STEPS) / total), DEADLINE_STEPS - 1)
}

/** The least value that is a tenth more, rounded up. */
function raised(fee: bigint): bigint {
  return (fee * (100n + BUMP_PERCENT) + 99n) / 100n
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
