import { ChainError } from './chain-error.ts'

/**
 * What a node said to a raw transaction. All of it is information: whether the transaction lands is read from blocks.
 * - `accepted`, `known`: it is in the node's pool, now or before
 * - `nonce-used`: some transaction with this nonce was mined
 * - `underpriced`: the pool wants higher fees, or a larger step over the one that it holds
 * - `no-funds`: the sender cannot pay value and fees
 * - `rejected`: the node refuses it for another reason
 * - `unknown`: no answer; it may have been taken all the same
 */
export type BroadcastAnswer =
  | 'accepted'
  | 'known'
  | 'nonce-used'
  | 'underpriced'
  | 'no-funds'
  | 'rejected'
  | 'unknown'

/** Nodes have no codes for these, only words; each word is from a node in wide use. */
const WORDS: readonly (readonly [RegExp, BroadcastAnswer])[] = [
  [/already known|already imported|known transaction|already exists|alreadyknown/i, 'known'],
  [/nonce too low|nonce is too low|oldnonce|invalid nonce.*too low/i, 'nonce-used'],
  [/underpriced|fee too low|less than block base fee|feetoolow|max fee per gas less/i, 'underpriced'],
  [/insufficient funds|insufficientfunds|insufficient balance/i, 'no-funds'],
]

export function judgeBroadcast(error: unknown): BroadcastAnswer {
  if (!(error instanceof ChainError) || error.code !== 'rpc-error') return 'unknown'
  return WORDS.find(([words]) => words.test(error.message))?.[1] ?? 'rejected'
}
