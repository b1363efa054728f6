import { SettlementRefusal } from './settlement-refusal.ts'

/** When and how much an account settles. Amounts in the account's smallest units. */
export interface SettlementTerms {
  /** Which engine pays. */
  readonly engine: string
  /** When we owe this much, settle. */
  readonly threshold: bigint
  /** How much we may still owe afterwards: 0 to `threshold`. */
  readonly settleTo: bigint
  /** Settle what is above `settleTo` this often as well, whatever the threshold. Milliseconds. */
  readonly intervalMs: number | undefined
  /** Nothing smaller is settled. */
  readonly minAmount: bigint
  /** Larger amounts are split. */
  readonly maxAmount: bigint | undefined
  /** As by `pause`, for as long as it stands in the configuration. */
  readonly paused: boolean
}

const INTERVAL_MIN_MS = 1_000
const INTERVAL_MAX_MS = 366 * 24 * 3_600_000

/** @throws SettlementRefusal when the terms contradict each other */
export function checkTerms(terms: SettlementTerms): void {
  const { threshold, settleTo, minAmount, maxAmount, intervalMs } = terms
  if (threshold <= 0n) throw invalid(`threshold ${threshold} must be above 0`)
  if (settleTo < 0n || settleTo >= threshold) {
    throw invalid(`settleTo ${settleTo} must be from 0 to below the threshold ${threshold}`)
  }
  if (minAmount < 0n) throw invalid(`minAmount ${minAmount} must not be negative`)
  if (maxAmount !== undefined && (maxAmount <= 0n || maxAmount < minAmount)) {
    throw invalid(`maxAmount ${maxAmount} must be above 0 and not below minAmount ${minAmount}`)
  }
  if (
    intervalMs !== undefined &&
    !(Number.isInteger(intervalMs) && intervalMs >= INTERVAL_MIN_MS && intervalMs <= INTERVAL_MAX_MS)
  ) {
    throw invalid(`intervalMs ${intervalMs} must be from ${INTERVAL_MIN_MS} to ${INTERVAL_MAX_MS}`)
  }
}

function invalid(message: string): SettlementRefusal {
  return new SettlementRefusal('invalid', message)
}
