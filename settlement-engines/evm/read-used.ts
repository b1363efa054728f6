import type { Hex } from 'viem'
import type { Chain } from './chain.ts'
import { ChainError } from './chain-error.ts'
import { toBlock } from './rpc-answers.ts'
import { toCount } from './rpc-values.ts'

/** Versions of one transaction that are asked for: the newest are the likeliest. */
const HASHES_MAX = 16

export interface UsedNonces {
  /** How many transactions of the sender are mined: its next nonce. */
  readonly used: number
  /** Number of the newest block. */
  readonly head: number
  /** Whether one of the transactions that were asked for is mined. */
  readonly isMined: boolean
}

/**
 * All of it as one node tells it in one answer. Answers to several questions may come from nodes that are some blocks
 * apart, or from before and after a reorg: they seem to contradict each other.
 * @param hashes transactions to be looked for, oldest first
 * @throws ChainError
 */
export async function readUsed(chain: Chain, sender: Hex, hashes: readonly Hex[] = []): Promise<UsedNonces> {
  const requests = [
    { method: 'eth_getTransactionCount', params: [sender, 'latest'] },
    { method: 'eth_getBlockByNumber', params: ['latest', false] },
    ...hashes.slice(-HASHES_MAX).map((hash) => ({ method: 'eth_getTransactionReceipt', params: [hash] })),
  ]
  return await chain.together(requests, ([count, newest, ...receipts]) => {
    const block = toBlock(newest)
    if (block === undefined) throw new ChainError('bad-answer', 'a node knows no newest block')
    const isMined = receipts.some((receipt) => receipt !== null)
    return { used: toCount(count, 'transaction count'), head: block.number, isMined }
  })
}
