import type { Hex } from 'viem'
import { keccak256 } from 'viem/utils'
import type { Logger } from '../../src/lib/logger.ts'
import { type BroadcastAnswer, judgeBroadcast } from './broadcast-answer.ts'
import { ChainError } from './chain-error.ts'
import type { RpcRequest } from './json-rpc-endpoint.ts'
import {
  type Block,
  type ChainTransaction,
  type FeeMarket,
  type Receipt,
  toBlock,
  toFeeMarket,
  toReceipt,
  toTransaction,
} from './rpc-answers.ts'
import { CHAIN_ID_REQUEST, RpcNodes, type RpcNodesOptions } from './rpc-nodes.ts'
import { hexOf, toBytes, toCount, toHash, toList, toQuantity, toRecord } from './rpc-values.ts'

/** A block by number or by name. */
export type BlockAt = number | 'latest' | 'pending' | 'safe' | 'finalized'

/** Blocks that the fee history looks back on. */
const FEE_HISTORY_BLOCKS = 5
const FEE_PERCENTILES = [50, 90]

/**
 * What the engine needs of a chain, over one or more JSON-RPC nodes. Reads move on to the next node when one fails or
 * answers rubbish, a bounded number of times; raw transactions go to all nodes. Every answer is checked; whatever a
 * node says changes nothing here.
 */
export class Chain {
  readonly chainId: number
  readonly #nodes: RpcNodes
  readonly #logger: Logger

  constructor(options: RpcNodesOptions, deps: { logger: Logger }) {
    this.chainId = options.chainId
    this.#nodes = new RpcNodes(options, deps)
    this.#logger = deps.logger
  }

  /**
   * Asks every node for its chain id. Nodes that do not answer are asked again before their first use.
   * @throws ChainError `wrong-chain` when any node serves another chain, or why none of them can be reached
   */
  async start(): Promise<void> {
    await this.#nodes.start()
  }

  /** Gives up all questions under way. */
  stop(): void {
    this.#nodes.stop()
  }

  /** One cheap question to the first node that answers. @throws ChainError */
  async probe(signal: AbortSignal): Promise<void> {
    await this.request('eth_blockNumber', [], (value) => toCount(value, 'block number'), signal)
  }

  /**
   * Any read. `parse` throws a `ChainError` for answers that do not fit: the next node is asked then.
   * @throws ChainError of the last node that was asked
   */
  async request<T>(
    method: string,
    params: readonly unknown[],
    parse: (value: unknown) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    return await this.#nodes.ask(
      async (rpc, own) => parse(await rpc.request({ method, params }, own)),
      signal,
    )
  }

  /** Several reads answered by one node of the right chain, in one HTTP request. @throws ChainError */
  async together<T>(
    requests: readonly RpcRequest[],
    parse: (values: readonly unknown[]) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    return await this.#nodes.ask(async (rpc, own) => {
      // Credits are given on these answers: the same node says in the same breath which chain they are of.
      const [chainId, ...values] = await rpc.together([CHAIN_ID_REQUEST, ...requests], own)
      this.#nodes.checkChainId(chainId, rpc)
      return parse(values)
    }, signal)
  }

  /** Undefined when the node does not know such a block. */
  async block(at: BlockAt): Promise<Block | undefined> {
    return await this.request('eth_getBlockByNumber', [atOf(at), false], (value) => {
      const block = toBlock(value)
      if (block !== undefined && typeof at === 'number' && block.number !== at) {
        throw new ChainError('bad-answer', `block ${at} was asked for and block ${block.number} came`)
      }
      return block
    })
  }

  /** How many transactions of the address were mined up to a block: its next nonce there. */
  async transactionCount(address: Hex, at: BlockAt): Promise<number> {
    return await this.request('eth_getTransactionCount', [address, atOf(at)], (value) =>
      toCount(value, 'transaction count'),
    )
  }

  /** Wei. */
  async balance(address: Hex, at: BlockAt): Promise<bigint> {
    return await this.request('eth_getBalance', [address, atOf(at)], (value) => toQuantity(value, 'balance'))
  }

  async receipt(hash: Hex): Promise<Receipt | undefined> {
    return await this.request('eth_getTransactionReceipt', [hash], (value) => toReceipt(value, hash))
  }

  /**
   * The transaction with a sender's nonce, mined or waiting, where the node can tell.
   * @throws ChainError `rpc-error` where it cannot
   */
  async transactionOf(sender: Hex, nonce: number): Promise<ChainTransaction | undefined> {
    return await this.request('eth_getTransactionBySenderAndNonce', [sender, hexOf(nonce)], (value) =>
      fitting(toTransaction(value), sender, nonce),
    )
  }

  /** The transaction of a sender with a nonce in a block, or undefined when the block holds none. */
  async transactionIn(block: number, sender: Hex, nonce: number): Promise<ChainTransaction | undefined> {
    return await this.request('eth_getBlockByNumber', [hexOf(block), true], (value) => {
      if (value === null) throw new ChainError('lagging', `a node does not know block ${block}`)
      const list = toList(toRecord(value, 'a block').transactions, 'transactions of a block')
      return list.map(toTransaction).find((one) => one?.from === sender && one.nonce === nonce)
    })
  }

  /** Gas that a call would use now. @throws ChainError `rpc-error` with the revert data when it would revert */
  async estimateGas(call: { from: Hex; to: Hex; value: bigint; data: Hex }): Promise<bigint> {
    const params = [{ ...call, value: hexOf(call.value) }]
    return await this.request('eth_estimateGas', params, (value) => toQuantity(value, 'gas estimate'))
  }

  async fees(): Promise<FeeMarket> {
    const params = [hexOf(FEE_HISTORY_BLOCKS), 'latest', FEE_PERCENTILES]
    return await this.request('eth_feeHistory', params, (value) => toFeeMarket(value, FEE_HISTORY_BLOCKS))
  }

  /**
   * @returns the keccak-256 hash of the contract's code
   * @throws ChainError `wrong-code` when there is none, or another than expected
   */
  async checkCode(address: Hex, expectedHash?: Hex): Promise<Hex> {
    const code = await this.request('eth_getCode', [address, 'latest'], (value) => toBytes(value, 'code'))
    if (code === '0x') {
      throw new ChainError('wrong-code', `there is no contract at ${address} on chain ${this.chainId}`)
    }
    const hash = keccak256(code)
    if (expectedHash !== undefined && hash !== expectedHash.toLowerCase()) {
      throw new ChainError(
        'wrong-code',
        `the contract at ${address} on chain ${this.chainId} is another one: its code has hash ${hash}, expected ${expectedHash}`,
      )
    }
    return hash
  }

  /** Hands a signed transaction to all nodes; never throws: each answer is information. */
  async broadcast(raw: Hex, hash: Hex): Promise<BroadcastAnswer[]> {
    const request = { method: 'eth_sendRawTransaction', params: [raw] }
    return await this.#nodes.tellAll<BroadcastAnswer>(
      async (rpc, signal) => {
        const said = toHash(await rpc.request(request, signal), 'hash of the transaction')
        if (said !== hash) throw new ChainError('bad-answer', 'a node tells another transaction hash')
        return 'accepted'
      },
      (error, node) => {
        const answer = judgeBroadcast(error)
        const fields = { node, hash, answer, reason: String(error) }
        if (answer === 'known' || answer === 'nonce-used') this.#logger.debug('broadcast answer', fields)
        else this.#logger.warn('broadcast answer', fields)
        return answer
      },
    )
  }
}

function atOf(at: BlockAt): string {
  return typeof at === 'number' ? hexOf(at) : at
}

function fitting(
  transaction: ChainTransaction | undefined,
  sender: Hex,
  nonce: number,
): ChainTransaction | undefined {
  if (transaction === undefined) return undefined
  if (transaction.from === sender && transaction.nonce === nonce) return transaction
  throw new ChainError('bad-answer', 'a node tells a transaction of another sender or nonce')
}
