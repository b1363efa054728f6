import type { Hex } from 'viem'
import type { ChainLog } from './rpc-answers.ts'

/** What is to be done on chain, once. */
export interface TxIntent {
  /** Idempotency key, unique for good: 1 to 128 characters of `A-Z a-z 0-9 - _ . :`. */
  readonly purpose: string
  readonly to: Hex
  /** Wei. */
  readonly value: bigint
  readonly data: Hex
  /** Estimated when undefined. */
  readonly gasLimit: bigint | undefined
  /** Wei; the most that may be spent on fees for this purpose, all bumps included. */
  readonly feeBudget: bigint
  readonly urgency: 'calm' | 'urgent'
  /** When it must be mined; fees rise towards it. Milliseconds since the epoch. */
  readonly deadlineMs: number | undefined
}

/** Terms of what has time: within the budget, gas estimated, no hurry. */
export function calmTerms(
  feeBudget: bigint,
): Pick<TxIntent, 'gasLimit' | 'feeBudget' | 'urgency' | 'deadlineMs'> {
  return { gasLimit: undefined, feeBudget, urgency: 'calm', deadlineMs: undefined }
}

/**
 * What became of a purpose, for good.
 * - `succeeded`, `reverted`: it is in a final block
 * - `cancelled`: it was taken back before it was signed, or the transaction that took its nonce back is final
 */
export type TxOutcome =
  | {
      readonly kind: 'succeeded' | 'reverted'
      readonly hash: Hex
      readonly blockNumber: number
      readonly blockHash: Hex
      /** Wei. */
      readonly feePaid: bigint
      readonly logs: readonly ChainLog[]
    }
  | { readonly kind: 'cancelled'; readonly hash: Hex | undefined; readonly feePaid: bigint }

export interface FeePair {
  /** Wei per gas, base fee included. */
  readonly maxFeePerGas: bigint
  /** Wei per gas, for the block's producer. */
  readonly maxPriorityFeePerGas: bigint
}

/** One signed version of a transaction. Those of one nonce differ in fees, or in kind. */
export interface TxAttempt extends FeePair {
  readonly hash: Hex
  readonly raw: Hex
  readonly kind: 'call' | 'cancel'
  readonly createdMs: number
  readonly sentMs: number | undefined
}

/** A nonce that is taken, with all that was ever signed under it. */
export interface OpenTx {
  readonly nonce: number
  readonly gasLimit: bigint
  /** Newest block when it was signed first: it cannot have been mined before. */
  readonly signedBlock: number
  readonly intent: QueuedIntent
  /** Oldest first, never empty. */
  readonly attempts: readonly TxAttempt[]
}

export interface QueuedIntent extends TxIntent {
  readonly createdMs: number
  readonly isCancelled: boolean
}

/** A purpose was used before for something else: nothing was changed. */
export class PurposeConflictError extends Error {
  override readonly name = 'PurposeConflictError'
}
