import type { Chain } from './chain.ts'
import { ChainError } from './chain-error.ts'
import type { Block } from './rpc-answers.ts'

/**
 * When good news counts: at the chain's own `finalized` or `safe` block, or `depth` blocks below the newest. Only
 * `finalized` is certain; a depth is a wager that no deeper reorg comes.
 */
export type Finality =
  | { readonly kind: 'finalized' }
  | { readonly kind: 'safe' }
  | { readonly kind: 'blocks'; readonly depth: number }

/** The newest block that counts as final, with the newest block. */
export interface Heads {
  readonly latest: Block
  readonly final: Block
}

/** @throws ChainError `bad-answer` when the node knows no such block, `lagging` when the two contradict each other */
export async function readHeads(chain: Chain, finality: Finality): Promise<Heads> {
  const latest = await chain.block('latest')
  if (latest === undefined) throw new ChainError('bad-answer', 'a node knows no latest block')
  const at = finality.kind === 'blocks' ? Math.max(latest.number - finality.depth, 0) : finality.kind
  const final = await chain.block(at)
  if (final === undefined) {
    throw new ChainError(
      'bad-answer',
      `a node knows no block "${at}": use a node that does, or count blocks for finality`,
    )
  }
  if (final.number > latest.number) {
    // The chain may have grown between the questions; by more than a few blocks it has not.
    const again = await chain.block('latest')
    if (again === undefined || again.number < final.number) {
      throw new ChainError('lagging', `a node's newest block ${latest.number} is below a final one`)
    }
    return { latest: again, final }
  }
  return { latest, final }
}

/** Whether a block is still part of the chain; undefined when no node knows a block of that number. */
export async function isCanonical(
  chain: Chain,
  block: { number: number; hash: string },
): Promise<boolean | undefined> {
  const found = await chain.block(block.number)
  return found === undefined ? undefined : found.hash === block.hash
}
