import type { Chain } from './chain.ts'
import { ChainError } from './chain-error.ts'
import { type Block, toBlock } from './rpc-answers.ts'

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

/**
 * Both heads as one node tells them, in one answer that names its chain too.
 * @throws ChainError `bad-answer` when the node knows no such block, `lagging` when the two contradict each other
 */
export async function readHeads(chain: Chain, finality: Finality): Promise<Heads> {
  if (finality.kind === 'blocks') {
    const [latest] = await readBlocks(chain, ['latest'])
    const at = Math.max(latest!.number - finality.depth, 0)
    const final = at === latest!.number ? latest : await chain.block(at)
    if (final === undefined) throw new ChainError('lagging', `a node does not know block ${at}`)
    return { latest: latest!, final }
  }
  const [final, latest] = await readBlocks(chain, [finality.kind, 'latest'])
  return { latest: latest!, final: final! }
}

async function readBlocks(chain: Chain, names: readonly string[]): Promise<Block[]> {
  const requests = names.map((name) => ({ method: 'eth_getBlockByNumber', params: [name, false] }))
  return await chain.together(requests, (values) => {
    const blocks = values.map((value, index) => {
      const block = toBlock(value)
      if (block !== undefined) return block
      throw new ChainError(
        'bad-answer',
        `a node knows no block "${names[index]}": use a node that does, or count blocks for finality`,
      )
    })
    const [first, last] = [blocks[0]!, blocks.at(-1)!]
    if (first.number > last.number) {
      throw new ChainError('lagging', `a node's newest block ${last.number} is below its final one`)
    }
    return blocks
  })
}

/** Whether a block is still part of the chain; undefined when no node knows a block of that number. */
export async function isCanonical(
  chain: Chain,
  block: { number: number; hash: string },
): Promise<boolean | undefined> {
  const found = await chain.block(block.number)
  return found === undefined ? undefined : found.hash === block.hash
}
