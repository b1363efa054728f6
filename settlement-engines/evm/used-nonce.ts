import type { Hex } from 'viem'
import type { Chain } from './chain.ts'
import { ChainError } from './chain-error.ts'
import type { Block, ChainTransaction } from './rpc-answers.ts'

/** More than enough halvings for any chain. */
const STEPS_MAX = 64

/** A transaction that is in a block. */
export interface MinedTransaction extends ChainTransaction {
  readonly blockNumber: number
  readonly blockHash: Hex
}

/**
 * Finds the transaction that used a nonce, whoever signed it. Undefined when no node can tell: that proves nothing.
 * Nodes that cannot look it up are asked for the block in which the sender's count passed the nonce.
 * @param range blocks between which it was mined
 */
export async function findUsedNonce(
  chain: Chain,
  sender: Hex,
  nonce: number,
  range: { from: number; to: Block },
): Promise<MinedTransaction | undefined> {
  for (const search of [lookUp, bisect]) {
    try {
      const found = await search(chain, sender, nonce, range)
      if (found?.blockNumber !== undefined && found.blockHash !== undefined) return found as MinedTransaction
    } catch (error) {
      // A node without the method, or without the state of old blocks.
      if (!(error instanceof ChainError) || error.code !== 'rpc-error') throw error
    }
  }
  return undefined
}

async function lookUp(chain: Chain, sender: Hex, nonce: number): Promise<ChainTransaction | undefined> {
  return await chain.transactionOf(sender, nonce)
}

async function bisect(
  chain: Chain,
  sender: Hex,
  nonce: number,
  { from, to }: { from: number; to: Block },
): Promise<ChainTransaction | undefined> {
  let [low, high] = [Math.max(from - 1, 0), to.number]
  if ((await chain.transactionCount(sender, high)) <= nonce) return undefined
  for (let step = 0; step < STEPS_MAX && high - low > 1; step++) {
    const middle = Math.floor((low + high) / 2)
    if ((await chain.transactionCount(sender, middle)) > nonce) high = middle
    else low = middle
  }
  return await chain.transactionIn(high, sender, nonce)
}
