import type { Hex } from 'viem'
import { ChainError } from './chain-error.ts'
import type { FeePair, QueuedIntent, TxAttempt, TxIntent } from './tx-intent.ts'

/** An estimate holds for the state of now; a quarter more is for that of then. */
const GAS_MARGIN_PERCENT = 125n
/** What every transaction takes; a node that says less is wrong. */
const GAS_LIMIT_MIN = 21_000n
/** No call of ours comes near; a node that says more is wrong. */
const GAS_LIMIT_MAX = 15_000_000n

/** What of an intent goes into a transaction. */
export function callOf({ to, value, data }: TxIntent): { to: Hex; value: bigint; data: Hex } {
  return { to, value, data }
}

/** A gas limit from an estimate. @throws ChainError `bad-answer` when it is beyond all sense */
export function withMargin(estimate: bigint): bigint {
  const gas = (estimate * GAS_MARGIN_PERCENT) / 100n
  if (estimate < GAS_LIMIT_MIN || gas > GAS_LIMIT_MAX)
    throw new ChainError('bad-answer', `a node estimates ${estimate} gas`)
  return gas
}

/** Wei that a transaction may take from the balance. */
export function costOf(value: bigint, gas: bigint, fees: FeePair): bigint {
  return value + gas * fees.maxFeePerGas
}

/** The highest of each fee: what a replacement must outbid. */
export function highestOf(attempts: readonly TxAttempt[]): FeePair {
  let [maxFeePerGas, maxPriorityFeePerGas] = [0n, 0n]
  for (const attempt of attempts) {
    if (attempt.maxFeePerGas > maxFeePerGas) maxFeePerGas = attempt.maxFeePerGas
    if (attempt.maxPriorityFeePerGas > maxPriorityFeePerGas)
      maxPriorityFeePerGas = attempt.maxPriorityFeePerGas
  }
  return { maxFeePerGas, maxPriorityFeePerGas }
}

/**
 * The demand of the first of several waiting transactions, lowest nonce first. All others wait behind it: it is as urgent
 * as the most urgent of them. And one that is urgent lends those before it its own budget, in equal parts, so that a
 * budget that is used up in front of it does not make it come too late.
 */
export function headDemand(
  waiting: readonly QueuedIntent[],
): Pick<QueuedIntent, 'urgency' | 'deadlineMs' | 'createdMs' | 'feeBudget'> {
  const urgency = waiting.some((intent) => intent.urgency === 'urgent') ? 'urgent' : 'calm'
  let first = waiting[0]!
  let { feeBudget } = first
  for (const [ahead, intent] of waiting.entries()) {
    if ((intent.deadlineMs ?? Infinity) < (first.deadlineMs ?? Infinity)) first = intent
    const lent = ahead > 0 && intent.urgency === 'urgent' ? intent.feeBudget / BigInt(ahead) : 0n
    if (lent > feeBudget) feeBudget = lent
  }
  return { urgency, deadlineMs: first.deadlineMs, createdMs: first.createdMs, feeBudget }
}
