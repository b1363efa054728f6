import { setTimeout as delay } from 'node:timers/promises'
import type { Hex } from 'viem'
import { keccak256 } from 'viem/utils'
import type { Logger } from '../../src/lib/logger.ts'
import { type BroadcastAnswer, judgeBroadcast } from './broadcast-answer.ts'
import { ChainError } from './chain-error.ts'
import { JsonRpcEndpoint, type RpcRequest } from './json-rpc-endpoint.ts'
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
import { hexOf, toBytes, toCount, toHash, toList, toQuantity, toRecord } from './rpc-values.ts'

/** A block by number or by name. */
export type BlockAt = number | 'latest' | 'pending' | 'safe' | 'finalized'

/** Times each node is asked before a read fails; with the pauses between, some seconds at most. */
const READ_ROUNDS = 3
/** First pause between rounds; it doubles. */
const ROUND_PAUSE_MS = 100
const REQUEST_DEADLINE_MS = 5_000
/** A node's chain id is asked again after this time and after every failure: the name may lead elsewhere by then. */
const CHAIN_ID_AGE_MAX_MS = 60_000
/** Blocks that the fee history looks back on. */
const FEE_HISTORY_BLOCKS = 5
const FEE_PERCENTILES = [50, 90]
/** JSON-RPC code of nodes for "execution reverted": the same everywhere. */
const REVERTED = 3

export interface ChainOptions {
  /** In order of preference, at least one. */
  readonly urls: readonly string[]
  readonly chainId: number
  /** For one HTTP request. */
  readonly requestDeadlineMs?: number
}

interface Endpoint {
  readonly rpc: JsonRpcEndpoint
  /** When its chain id was last found right; undefined: not since its last failure. */
  checkedAtMs: number | undefined
}

/**
 * What the engine needs of a chain, over one or more JSON-RPC nodes. Reads move on to the next node when one fails or
 * answers rubbish, a bounded number of times; raw transactions go to all nodes. No node is used before it has told
 * the right chain id. Every answer is checked; whatever a node says changes nothing here.
 */
export class Chain {
  readonly chainId: number
  readonly #endpoints: readonly Endpoint[]
  readonly #stopped = new AbortController()
  readonly #logger: Logger

  constructor(options: ChainOptions, deps: { logger: Logger }) {
    if (options.urls.length === 0) throw new Error('no RPC URL is given: name at least one')
    this.chainId = options.chainId
    const deadlineMs = options.requestDeadlineMs ?? REQUEST_DEADLINE_MS
    this.#endpoints = options.urls.map((url) => ({
      rpc: new JsonRpcEndpoint({ url, deadlineMs }),
      checkedAtMs: undefined,
    }))
    this.#logger = deps.logger
  }

  /**
   * Asks every node for its chain id. Nodes that do not answer are asked again before their first use.
   * @throws ChainError `wrong-chain` when any node serves another chain, or why none of them can be reached
   */
  async start(): Promise<void> {
    const results = await Promise.allSettled(
      this.#endpoints.map((endpoint) => this.#verify(endpoint, this.#stopped.signal)),
    )
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    const wrong = errors.find((error) => error instanceof ChainError && error.code === 'wrong-chain')
    if (wrong !== undefined) throw wrong
    if (errors.length === this.#endpoints.length) throw errors[0]
    for (const error of errors) this.#logger.warn('rpc node cannot be used now', { reason: String(error) })
  }

  /** Gives up all questions under way. */
  stop(): void {
    this.#stopped.abort()
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
    return await this.#ask(async (rpc, own) => parse(await rpc.request({ method, params }, own)), signal)
  }

  /** Several reads answered by one node, in one HTTP request. @throws ChainError */
  async together<T>(
    requests: readonly RpcRequest[],
    parse: (values: readonly unknown[]) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    return await this.#ask(async (rpc, own) => parse(await rpc.together(requests, own)), signal)
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
    return await this.request('eth_feeHistory', params, toFeeMarket)
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
    return await Promise.all(
      this.#endpoints.map(async (endpoint): Promise<BroadcastAnswer> => {
        try {
          await this.#verified(endpoint, this.#stopped.signal)
          const request = { method: 'eth_sendRawTransaction', params: [raw] }
          const said = toHash(
            await endpoint.rpc.request(request, this.#stopped.signal),
            'hash of the transaction',
          )
          if (said !== hash) throw new ChainError('bad-answer', 'a node tells another transaction hash')
          return 'accepted'
        } catch (error) {
          const answer = judgeBroadcast(error)
          if (answer === 'unknown') endpoint.checkedAtMs = undefined
          const fields = { node: endpoint.rpc.name, hash, answer, reason: String(error) }
          if (answer === 'known' || answer === 'nonce-used') this.#logger.debug('broadcast answer', fields)
          else this.#logger.warn('broadcast answer', fields)
          return answer
        }
      }),
    )
  }

  async #ask<T>(
    question: (rpc: JsonRpcEndpoint, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const own = signal === undefined ? this.#stopped.signal : AbortSignal.any([signal, this.#stopped.signal])
    let last: unknown
    for (let round = 0; round < READ_ROUNDS; round++) {
      if (round > 0) await pause(ROUND_PAUSE_MS * 2 ** (round - 1), own)
      let hasRefusedOnly = true
      for (const endpoint of this.#endpoints) {
        try {
          await this.#verified(endpoint, own)
          return await question(endpoint.rpc, own)
        } catch (error) {
          if (!(error instanceof ChainError) || error.code === 'stopped' || error.rpcCode === REVERTED)
            throw error
          last = error
          if (error.code === 'rpc-error') continue
          hasRefusedOnly = false
          endpoint.checkedAtMs = undefined
          this.#logger.debug('rpc node failed', { node: endpoint.rpc.name, reason: error.message })
        }
      }
      // Asking again would be refused again.
      if (hasRefusedOnly) break
    }
    throw last
  }

  async #verified(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    const { checkedAtMs } = endpoint
    if (checkedAtMs !== undefined && performance.now() - checkedAtMs < CHAIN_ID_AGE_MAX_MS) return
    await this.#verify(endpoint, signal)
  }

  async #verify(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    endpoint.checkedAtMs = undefined
    const answer = await endpoint.rpc.request({ method: 'eth_chainId', params: [] }, signal)
    const chainId = toCount(answer, 'chain id')
    if (chainId !== this.chainId) {
      throw new ChainError(
        'wrong-chain',
        `${endpoint.rpc.name} serves chain ${chainId}, not ${this.chainId}: check the RPC URL and the chain id`,
      )
    }
    endpoint.checkedAtMs = performance.now()
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

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch {
    throw new ChainError('stopped', 'the question was given up')
  }
}
