import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../src/lib/logger.ts'
import { within } from '../../src/lib/within.ts'
import { ChainError } from './chain-error.ts'
import { JsonRpcEndpoint } from './json-rpc-endpoint.ts'
import { toCount } from './rpc-values.ts'

/** Times each node is asked before a read fails; with the pauses between, some seconds at most. */
const READ_ROUNDS = 3
/** First pause between rounds; it doubles. */
const ROUND_PAUSE_MS = 100
const REQUEST_DEADLINE_MS = 5_000
/** A node's chain id is asked again after this time and after every failure: the name may lead elsewhere by then. */
const CHAIN_ID_AGE_MAX_MS = 60_000
/** How often several nodes are compared: a silent one costs the deadline below once in this time, no more. */
const SURVEY_AGE_MAX_MS = 10_000
const SURVEY_DEADLINE_MS = 1_000
/** Three minutes of mainnet, some seconds of fast chains: nodes that keep up are never so far apart. */
const LAG_BLOCKS_MAX = 16
/** JSON-RPC code of nodes for "execution reverted": the same everywhere. */
const REVERTED = 3

/** Asks every node which chain it serves; see {@link checkChainId}. */
export const CHAIN_ID_REQUEST = { method: 'eth_chainId', params: [] } as const

export interface RpcNodesOptions {
  /** In order of preference, at least one. */
  readonly urls: readonly string[]
  readonly chainId: number
  /** For one HTTP request. */
  readonly requestDeadlineMs?: number
  /** Between two comparisons of several nodes; 0: before every question. */
  readonly surveyAgeMaxMs?: number
}

interface RpcNode {
  readonly rpc: JsonRpcEndpoint
  /** When its chain id was last found right; undefined: not since its last failure. */
  checkedAtMs: number | undefined
  /** Its last answer was none, or unfit. */
  isFailing: boolean
  /** Its last answer did not come in time. */
  isSilent: boolean
  /** Its newest block, as it last said itself. */
  head: number | undefined
}

/**
 * The JSON-RPC nodes of one chain. None is used before it has told the right chain id. A question moves on to the next
 * node when one fails, a bounded number of times. The operator's order counts among nodes that answer and keep up: one
 * that is silent, or stands still while others go on, is asked last.
 */
export class RpcNodes {
  readonly #chainId: number
  readonly #nodes: readonly RpcNode[]
  readonly #surveyAgeMaxMs: number
  readonly #stopped = new AbortController()
  readonly #logger: Logger
  #survey: Promise<void> | undefined
  #surveyedAtMs: number | undefined

  constructor(options: RpcNodesOptions, deps: { logger: Logger }) {
    if (options.urls.length === 0) throw new Error('no RPC URL is given: name at least one')
    this.#chainId = options.chainId
    this.#surveyAgeMaxMs = options.surveyAgeMaxMs ?? SURVEY_AGE_MAX_MS
    const deadlineMs = options.requestDeadlineMs ?? REQUEST_DEADLINE_MS
    this.#nodes = options.urls.map((url) => ({
      rpc: new JsonRpcEndpoint({ url, deadlineMs }),
      checkedAtMs: undefined,
      isFailing: false,
      isSilent: false,
      head: undefined,
    }))
    this.#logger = deps.logger
  }

  /**
   * Asks every node for its chain id. Nodes that do not answer are asked again before their first use.
   * @throws ChainError `wrong-chain` when any node serves another chain, or why none of them can be reached
   */
  async start(): Promise<void> {
    const results = await Promise.allSettled(
      this.#nodes.map((node) => this.#verify(node, this.#stopped.signal)),
    )
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    const wrong = errors.find((error) => error instanceof ChainError && error.code === 'wrong-chain')
    if (wrong !== undefined) throw wrong
    if (errors.length === this.#nodes.length) throw errors[0]
    for (const error of errors) this.#logger.warn('rpc node cannot be used now', { reason: String(error) })
  }

  /** Gives up all questions under way. */
  stop(): void {
    this.#stopped.abort()
  }

  /**
   * The first good answer. `question` throws a `ChainError` for answers that do not fit.
   * @throws ChainError of the last node that was asked
   */
  async ask<T>(
    question: (rpc: JsonRpcEndpoint, signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const own = signal === undefined ? this.#stopped.signal : AbortSignal.any([signal, this.#stopped.signal])
    await this.#compare()
    let last: unknown
    for (let round = 0; round < READ_ROUNDS; round++) {
      if (round > 0) await pause(ROUND_PAUSE_MS * 2 ** (round - 1), own)
      let hasRefusedOnly = true
      for (const node of this.#inOrder()) {
        try {
          await this.#verified(node, own)
          const answer = await question(node.rpc, own)
          node.isFailing = node.isSilent = false
          return answer
        } catch (error) {
          if (!(error instanceof ChainError) || error.code === 'stopped' || error.rpcCode === REVERTED)
            throw error
          last = error
          if (error.code === 'rpc-error' || error.code === 'too-large') continue
          hasRefusedOnly = false
          this.#failed(node, error)
        }
      }
      // Asking the same again would be refused again.
      if (hasRefusedOnly) break
    }
    throw last
  }

  /**
   * Says something to every node at once, each time after its chain id was checked; each answer by itself. While others
   * answer, a node that was silent is told too, and not waited for: that is `judge`d as a timeout.
   */
  async tellAll<T>(
    tell: (rpc: JsonRpcEndpoint, signal: AbortSignal) => Promise<T>,
    judge: (error: unknown, node: string) => T,
  ): Promise<T[]> {
    const { signal } = this.#stopped
    const isAnySpeaking = this.#nodes.some(({ isSilent }) => !isSilent)
    return await Promise.all(
      this.#nodes.map(async (node) => {
        const work = async () => {
          await this.#verified(node, signal)
          return await tell(node.rpc, signal)
        }
        const late = () =>
          new ChainError('timeout', `${node.rpc.name} was silent before: it is not waited for`)
        try {
          return node.isSilent && isAnySpeaking ? await within(work(), 0, late) : await work()
        } catch (error) {
          if (!(error instanceof ChainError) || error.code !== 'rpc-error') node.checkedAtMs = undefined
          if (error instanceof ChainError && error.code === 'timeout') node.isSilent = true
          return judge(error, node.rpc.name)
        }
      }),
    )
  }

  /** @throws ChainError `wrong-chain` when the answer to {@link CHAIN_ID_REQUEST} names another chain */
  checkChainId(answer: unknown, rpc: JsonRpcEndpoint): void {
    const chainId = toCount(answer, 'chain id')
    if (chainId === this.#chainId) return
    throw new ChainError(
      'wrong-chain',
      `${rpc.name} serves chain ${chainId}, not ${this.#chainId}: check the RPC URL and the chain id`,
    )
  }

  #inOrder(): readonly RpcNode[] {
    const newest = Math.max(...this.#nodes.map(({ head }) => head ?? 0))
    const isBehind = ({ head }: RpcNode) => head !== undefined && newest - head > LAG_BLOCKS_MAX
    const rank = (node: RpcNode) => (node.isFailing ? 2 : 0) + (isBehind(node) ? 1 : 0)
    return this.#nodes.toSorted((a, b) => rank(a) - rank(b))
  }

  /** Asks all nodes how far they are, when that was long ago and there is a choice. */
  async #compare(): Promise<void> {
    if (this.#nodes.length === 1) return
    const isRecent =
      this.#surveyedAtMs !== undefined && performance.now() - this.#surveyedAtMs < this.#surveyAgeMaxMs
    if (isRecent) return
    this.#survey ??= Promise.all(this.#nodes.map((node) => this.#look(node))).then(() => {
      this.#surveyedAtMs = performance.now()
      this.#survey = undefined
    })
    await this.#survey
  }

  async #look(node: RpcNode): Promise<void> {
    const { signal } = this.#stopped
    const late = () => new ChainError('timeout', `${node.rpc.name} did not tell its newest block in time`)
    try {
      const asked = async () => {
        await this.#verified(node, signal)
        return await node.rpc.request({ method: 'eth_blockNumber', params: [] }, signal)
      }
      node.head = toCount(await within(asked(), SURVEY_DEADLINE_MS, late), 'block number')
      node.isFailing = node.isSilent = false
    } catch (error) {
      if (!signal.aborted) this.#failed(node, error)
    }
  }

  #failed(node: RpcNode, error: unknown): void {
    const level = node.isFailing ? 'debug' : 'warn'
    node.checkedAtMs = undefined
    node.isFailing = true
    node.isSilent = error instanceof ChainError && error.code === 'timeout'
    this.#logger[level]('rpc node failed', { node: node.rpc.name, reason: String(error) })
  }

  async #verified(node: RpcNode, signal: AbortSignal): Promise<void> {
    const { checkedAtMs } = node
    if (checkedAtMs !== undefined && performance.now() - checkedAtMs < CHAIN_ID_AGE_MAX_MS) return
    await this.#verify(node, signal)
  }

  async #verify(node: RpcNode, signal: AbortSignal): Promise<void> {
    node.checkedAtMs = undefined
    this.checkChainId(await node.rpc.request(CHAIN_ID_REQUEST, signal), node.rpc)
    node.checkedAtMs = performance.now()
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch {
    throw new ChainError('stopped', 'the question was given up')
  }
}
