import { setImmediate as immediate } from 'node:timers/promises'
import type { Hex } from 'viem'
import type { Logger } from '../../src/lib/logger.ts'
import { within } from '../../src/lib/within.ts'
import type { Chain } from './chain.ts'
import type { RaiseAlarm } from './chain-alarm.ts'
import { ChainError } from './chain-error.ts'
import type { EngineStore } from './engine-store.ts'
import { type Finality, readHeads } from './finality.ts'
import { LogCursor } from './log-cursor.ts'
import { type Block, type ChainLog, toBlock, toLog } from './rpc-answers.ts'
import { hexOf, toList } from './rpc-values.ts'

/** Blocks per question; providers commonly allow 1,000 to 10,000. */
const RANGE_BLOCKS_MAX = 1_000
/** Blocks that are read again each time: a node behind a load balancer may have answered "no logs" for lack of them. */
const OVERLAP_FINAL_BLOCKS = 32
/** Above the depth at which mainnet's blocks become final (64 to 96): no reorg can hide an event of danger. */
const OVERLAP_LATEST_BLOCKS = 128
/** Questions per poll, so that a long way to catch up leaves room for others. */
const RANGES_PER_POLL_MAX = 50
const POLL_MS = 4_000
const STOP_DEADLINE_MS = 6_000
/** Logs told in one transaction: the process has other work to do in between, however many a stranger makes. */
const LOGS_PER_TRANSACTION_MAX = 250
/** How providers say that a range holds too much; they have no common code. */
const TOO_MUCH = /too many|more than|limit|range|too large|response size|exceed|query timeout/i

/** What is wanted at each place of a log's topics, as nodes filter them; null: anything. */
export type TopicFilter = readonly (readonly Hex[] | null)[]

export interface LogPollerOptions {
  /** Unique in the store: the cursor's name. */
  readonly name: string
  /** Contracts whose logs are wanted; at least one. */
  readonly addresses: readonly Hex[]
  /** Which of their logs; the node picks them, and what it sends is checked. Undefined: all. */
  readonly topics?: TopicFilter
  /** Where to begin when there is no cursor: the contract's first block, for example. */
  readonly fromBlock: number
  /** `latest` for bad news, which is acted on at first sight; a finality for good news. */
  readonly head: Finality | { readonly kind: 'latest' }
  /** Milliseconds between polls; 0 for none: `poll` is called from outside then. */
  readonly pollMs?: number
  readonly rangeBlocks?: number
  readonly overlapBlocks?: number
}

export interface LogPollerDeps {
  readonly chain: Chain
  readonly store: EngineStore
  readonly logger: Logger
  readonly alarm: RaiseAlarm
  /**
   * Told each log once, in the chain's order, inside the database transaction that marks it as told: what it writes to
   * the store is there if and only if the mark is. When it throws, the cursor stays and it is told again.
   * With `latest`, a log may later vanish in a reorg, and is told again from another block: check the state it speaks of.
   */
  readonly onLog: (log: ChainLog) => void
}

/** Reads the logs of contracts in bounded ranges, from a durable cursor, each exactly once over crashes and reorgs. */
export class LogPoller {
  readonly #options: Required<Omit<LogPollerOptions, 'topics'>> & Pick<LogPollerOptions, 'topics'>
  readonly #deps: LogPollerDeps
  readonly #cursor: LogCursor
  readonly #addresses: ReadonlySet<string>
  readonly #topics: TopicFilter
  #rangeBlocks: number
  #fault: string | undefined
  #failure: string | undefined
  #lagBlocks: number | undefined
  #running: Promise<boolean> | undefined
  #timer: NodeJS.Timeout | undefined
  #isStopped = true

  constructor(options: LogPollerOptions, deps: LogPollerDeps) {
    const overlap = options.head.kind === 'latest' ? OVERLAP_LATEST_BLOCKS : OVERLAP_FINAL_BLOCKS
    this.#options = { pollMs: POLL_MS, rangeBlocks: RANGE_BLOCKS_MAX, overlapBlocks: overlap, ...options }
    this.#rangeBlocks = this.#options.rangeBlocks
    this.#deps = deps
    this.#cursor = new LogCursor({ name: options.name }, deps)
    this.#addresses = new Set(options.addresses.map((address) => address.toLowerCase()))
    this.#topics = (options.topics ?? []).map((place) => (place === null ? null : place.map(lower)))
  }

  start(): void {
    this.#isStopped = false
    this.#schedule(0)
  }

  /** Waits a bounded time for the poll under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    const late = () => new Error('the log poller did not stop in time')
    await within(this.#running ?? Promise.resolve(true), STOP_DEADLINE_MS, late).catch((error: unknown) => {
      this.#deps.logger.warn('log poller stops', { name: this.#options.name, reason: String(error) })
    })
  }

  /** Why it cannot go on by itself, or undefined. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Why the last poll did not go through, or undefined. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Blocks between cursor and head at the last poll; undefined before the first. */
  get lagBlocks(): number | undefined {
    return this.#lagBlocks
  }

  /** The last block that was read, or undefined. */
  get block(): number | undefined {
    return this.#cursor.load()?.block
  }

  /** One poll, never two at once; never throws. @returns whether everything up to the head is told */
  async poll(): Promise<boolean> {
    this.#running ??= this.#poll()
      .catch((error: unknown) => {
        const level = error instanceof ChainError ? 'warn' : 'error'
        this.#failure = String(error)
        this.#deps.logger[level]('log poll ended early', { name: this.#options.name, reason: this.#failure })
        if (error instanceof ChainError && error.code === 'reorg') this.#fail(error.message)
        return false
      })
      .finally(() => {
        this.#running = undefined
      })
    return await this.#running
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#options.pollMs === 0) return
    this.#timer = setTimeout(() => {
      void this.poll().then(() => {
        const isBehind = this.#fault === undefined && (this.#lagBlocks ?? 0) >= this.#options.rangeBlocks
        this.#schedule(isBehind ? 0 : this.#options.pollMs)
      })
    }, delayMs)
    this.#timer.unref()
  }

  async #poll(): Promise<boolean> {
    const target = await this.#target()
    const { fromBlock, overlapBlocks } = this.#options
    const cursor = this.#cursor.load()
    if (cursor !== undefined) await this.#checkCursor(cursor, target)
    this.#fault = undefined
    let from = Math.max(fromBlock, (cursor?.block ?? fromBlock - 1) + 1 - overlapBlocks)
    // What is read again does not count: however small the ranges are, each poll goes on from the cursor.
    for (let range = 0; from <= target.number && range < RANGES_PER_POLL_MAX; ) {
      if (from > (cursor?.block ?? 0)) range++
      if (this.#isStopped && this.#options.pollMs > 0) return false
      const { logs, last } = await this.#read(from, target.number)
      await this.#tell(logs, last)
      this.#lagBlocks = target.number - last.number
      from = last.number + 1
    }
    this.#lagBlocks = Math.max(target.number + 1 - from, 0)
    this.#failure = undefined
    return from > target.number
  }

  async #target(): Promise<Block> {
    const { head } = this.#options
    if (head.kind !== 'latest') return (await readHeads(this.#deps.chain, head)).final
    const latest = await this.#deps.chain.block('latest')
    if (latest === undefined) throw new ChainError('bad-answer', 'a node knows no latest block')
    return latest
  }

  /** What was read as final must still be so. Reading at `latest` expects reorgs, and reads again what they can touch. */
  async #checkCursor(cursor: { block: number; hash: Hex }, target: Block): Promise<void> {
    if (this.#options.head.kind === 'latest') return
    if (target.number < cursor.block) {
      throw new ChainError(
        'lagging',
        `a node's final block ${target.number} is below the cursor ${cursor.block}`,
      )
    }
    const block = await this.#deps.chain.block(cursor.block)
    if (block === undefined) throw new ChainError('lagging', `a node does not know block ${cursor.block}`)
    if (block.hash !== cursor.hash) {
      throw new ChainError(
        'reorg',
        `block ${cursor.block} was final as ${cursor.hash} and is now ${block.hash}: credits up to there may be gone. Check the node; if the chain did change, stop trusting what was credited and choose a stronger finality`,
      )
    }
  }

  /** Logs from a block on, as far as one answer goes; the range shrinks while that is too much for a node. */
  async #read(from: number, until: number): Promise<{ logs: ChainLog[]; last: Block }> {
    for (;;) {
      const to = Math.min(from + this.#rangeBlocks - 1, until)
      try {
        const answer = await this.#readRange(from, to)
        this.#rangeBlocks = Math.min(this.#rangeBlocks * 2, this.#options.rangeBlocks)
        return answer
      } catch (error) {
        if (!isTooMuch(error) || to === from) throw error
        this.#rangeBlocks = Math.max((to - from + 1) >> 1, 1)
        // Each try takes its whole deadline: the next poll goes on with less.
        if (error.code === 'timeout') throw error
      }
    }
  }

  /** One node tells the logs and the last block, so that it is known to have come that far. */
  async #readRange(from: number, to: number): Promise<{ logs: ChainLog[]; last: Block }> {
    const filter = {
      fromBlock: hexOf(from),
      toBlock: hexOf(to),
      address: [...this.#addresses],
      ...(this.#topics.length === 0 ? {} : { topics: this.#topics }),
    }
    const requests = [
      { method: 'eth_getLogs', params: [filter] },
      { method: 'eth_getBlockByNumber', params: [hexOf(to), false] },
    ]
    return await this.#deps.chain.together(requests, ([logList, block]) => {
      const last = toBlock(block)
      if (last === undefined) throw new ChainError('lagging', `a node does not know block ${to}`)
      if (last.number !== to) throw new ChainError('bad-answer', `block ${to} was asked for`)
      const logs = toList(logList, 'logs').map(toLog)
      for (const log of logs) this.#checkLog(log, from, last)
      logs.sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex)
      return { logs, last }
    })
  }

  #checkLog(log: ChainLog, from: number, last: Block): void {
    const isInRange = log.blockNumber >= from && log.blockNumber <= last.number
    const isOfLast = log.blockNumber !== last.number || log.blockHash === last.hash
    const isAsked =
      this.#addresses.has(log.address) &&
      this.#topics.every((place, index) => place === null || place.includes(log.topics[index] ?? '0x'))
    if (!isInRange || !isOfLast || !isAsked) {
      throw new ChainError('bad-answer', 'a node lists a log that was not asked for, or of another block')
    }
  }

  async #tell(logs: readonly ChainLog[], last: Block): Promise<void> {
    const { store, onLog } = this.#deps
    for (let told = 0; told < logs.length; told += LOGS_PER_TRANSACTION_MAX) {
      store.transaction(() => {
        for (const log of logs.slice(told, told + LOGS_PER_TRANSACTION_MAX)) {
          if (this.#cursor.markSeen(log)) onLog(log)
        }
      })
      await immediate()
    }
    // After a crash before this, the range is read again, and what is marked is not told again.
    store.transaction(() => this.#cursor.advance(last, this.#options.overlapBlocks))
  }

  #fail(reason: string): void {
    if (this.#fault === undefined) this.#deps.alarm('reorg', { poller: this.#options.name, reason })
    this.#fault = reason
  }
}

function isTooMuch(error: unknown): error is ChainError {
  if (!(error instanceof ChainError)) return false
  if (error.code === 'rpc-error') return TOO_MUCH.test(error.message)
  return error.code === 'too-large' || error.code === 'timeout'
}

function lower(topic: Hex): Hex {
  return topic.toLowerCase() as Hex
}
