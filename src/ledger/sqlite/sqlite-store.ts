import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import type { AccountBalance, HistoryEntry, HistoryQuery, LedgerAccountSpec, SelfCheck } from '../ledger.ts'
import type { PacketBatch, SettlementOutcome, StoredAccount } from '../ledger-store.ts'
import { LedgerFaultError, type LedgerStore, LedgerUnavailableError } from '../ledger-store.ts'
import { within } from '../within.ts'
import { BatchMailbox } from './batch-mailbox.ts'
import {
  BATCH_BOOKED,
  BATCH_REPLY,
  type WorkerCallName,
  type WorkerCalls,
  type WorkerOptions,
  type WorkerRefusal,
  type WorkerReply,
  type WorkerRequest,
} from './worker-protocol.ts'

/** A call that takes longer has an unknown outcome. A healthy disk answers in milliseconds. */
const CALL_DEADLINE_MS = 5_000
/** Opening may migrate the schema and post what a crash left in the journal. */
const OPEN_DEADLINE_MS = 120_000
/** Reading all accounts, or a page of history, of very large books. */
const REPORT_DEADLINE_MS = 60_000
/** Reading every transfer ever made, in slices between batches. */
const SELF_CHECK_DEADLINE_MS = 1_800_000
const CLOSE_DEADLINE_MS = 10_000
/** A process that is being replaced gets this long to let go of the file. */
const LOCK_WAIT_MS = 2_000
/** Calls not yet answered, those past their deadline included; above it new ones fail at once. */
const OUTSTANDING_MAX = 1_024

export interface SqliteStoreOptions {
  /** The ledger file; its directory is made when missing. */
  path: string
  /** How long one record per packet is kept, days; 0 keeps none. The sums stay for good. */
  packetDetailDays: number
  /** Deadline of one call. Default 5,000 ms. */
  callDeadlineMs?: number
  /** How long to wait for another process to let go of the file. Default 2,000 ms. */
  lockWaitMs?: number
}

interface Outstanding {
  resolve(answer: unknown): void
  reject(error: Error): void
}

/** A batch that the worker has. */
interface Posting extends PromiseWithResolvers<void> {
  firstSequence: number
}

/** Books in one SQLite file, written by a worker thread: one durable transaction per batch. */
export class SqliteStore implements LedgerStore {
  readonly #options: Required<SqliteStoreOptions>
  readonly #deps: { clock: Clock; logger: Logger }
  readonly #outstanding = new Map<number, Outstanding>()
  readonly #mailbox = new BatchMailbox()
  #worker: Worker | undefined
  #exited: Promise<void> = Promise.resolve()
  #ended: LedgerFaultError | undefined = new LedgerFaultError('the ledger store is not started')
  #nextCall = 0
  #epoch = 0
  /** The batch that the worker has and has not answered. */
  #posting: Posting | undefined

  constructor(options: SqliteStoreOptions, deps: { clock: Clock; logger: Logger }) {
    this.#options = { callDeadlineMs: CALL_DEADLINE_MS, lockWaitMs: LOCK_WAIT_MS, ...options }
    this.#deps = deps
  }

  get epoch(): number {
    return this.#epoch
  }

  async start(): Promise<void> {
    const { path, packetDetailDays, lockWaitMs } = this.#options
    makeFile(path)
    // Run from source or compiled: the worker's file ends like this one.
    const file = import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js'
    const workerData: WorkerOptions = { path, packetDetailDays, lockWaitMs, mailbox: this.#mailbox.memory }
    const worker = new Worker(new URL(file, import.meta.url), { workerData, execArgv: [] })
    this.#worker = worker
    this.#ended = undefined
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
    worker.on('message', (reply: WorkerReply | typeof BATCH_BOOKED) => {
      if (reply === BATCH_BOOKED) this.#batchBooked()
      else this.#answered(reply)
    })
    worker.on('error', (error) => this.#end(`the ledger worker failed: ${error.message}`))
    worker.on('exit', () => this.#end('the ledger worker has ended'))
    try {
      const { epoch } = await this.#ask('open', undefined, OPEN_DEADLINE_MS)
      this.#epoch = epoch
    } catch (error) {
      this.#end('the ledger file could not be opened')
      await worker.terminate()
      throw error
    }
  }

  async stop(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    this.#worker = undefined
    if (this.#ended === undefined) {
      try {
        await within(CLOSE_DEADLINE_MS, 'close', this.#call(worker, 'close', undefined))
        this.#end('the ledger store is stopped')
        await within(CLOSE_DEADLINE_MS, 'worker exit', this.#exited)
      } catch (error) {
        // Nothing is lost by that: what was answered is durable.
        this.#deps.logger.warn('ledger file was not closed cleanly', { reason: (error as Error).message })
      }
      this.#end('the ledger store is stopped')
    }
    await worker.terminate()
  }

  async probe(): Promise<void> {
    await this.#ask('probe', undefined)
  }

  openAccount(spec: LedgerAccountSpec, index: number): Promise<StoredAccount> {
    return this.#ask('openAccount', { spec, index, timestampMs: this.#deps.clock.now() })
  }

  async setCreditLimit(index: number, limit: bigint): Promise<void> {
    await this.#ask('setCreditLimit', { index, limit, timestampMs: this.#deps.clock.now() })
  }

  /** The batch is copied: it stays the caller's. A repeat of a batch still in the worker waits for that one. */
  async post(batch: PacketBatch): Promise<void> {
    const known = this.#posting?.firstSequence === batch.firstSequence ? this.#posting : undefined
    const { promise } = known ?? this.#send(batch)
    await within(this.#options.callDeadlineMs, 'batch', promise)
  }

  settleIn(id: string, index: number, engine: string, amount: bigint): Promise<boolean> {
    return this.#ask('settleIn', { id, index, engine, amount, timestampMs: this.#deps.clock.now() })
  }

  async holdSettlement(
    id: string,
    index: number,
    engine: string,
    amount: bigint,
    isNewTaken: boolean,
  ): Promise<void> {
    const timestampMs = this.#deps.clock.now()
    await this.#ask('holdSettlement', { id, index, engine, amount, timestampMs, isNewTaken })
  }

  postSettlement(id: string): Promise<SettlementOutcome> {
    return this.#ask('postSettlement', id)
  }

  voidSettlement(id: string): Promise<SettlementOutcome> {
    return this.#ask('voidSettlement', id)
  }

  balances(): Promise<AccountBalance[]> {
    return this.#ask('balances', undefined, REPORT_DEADLINE_MS)
  }

  balance(index: number): Promise<AccountBalance> {
    return this.#ask('balance', index)
  }

  history(query: HistoryQuery): Promise<HistoryEntry[]> {
    return this.#ask('history', query, REPORT_DEADLINE_MS)
  }

  selfCheck(): Promise<SelfCheck> {
    return this.#ask('selfCheck', undefined, SELF_CHECK_DEADLINE_MS)
  }

  #send(batch: PacketBatch): Posting {
    if (this.#ended !== undefined) throw this.#ended
    this.#mailbox.put(batch)
    const posting = { firstSequence: batch.firstSequence, ...Promise.withResolvers<void>() }
    this.#posting = posting
    return posting
  }

  #batchBooked(): void {
    const posting = this.#posting
    this.#posting = undefined
    posting?.resolve()
  }

  #batchRefused(error: Error): void {
    const posting = this.#posting
    this.#posting = undefined
    posting?.reject(error)
  }

  #ask<Name extends WorkerCallName>(
    name: Name,
    argument: WorkerCalls[Name]['argument'],
    deadlineMs = this.#options.callDeadlineMs,
  ): Promise<WorkerCalls[Name]['answer']> {
    return within(deadlineMs, name, this.#call(this.#worker, name, argument))
  }

  #call<Name extends WorkerCallName>(
    worker: Worker | undefined,
    name: Name,
    argument: WorkerCalls[Name]['argument'],
  ): Promise<WorkerCalls[Name]['answer']> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (worker === undefined)
      return Promise.reject(new LedgerUnavailableError('the ledger store is stopping'))
    if (this.#outstanding.size >= OUTSTANDING_MAX) {
      const message = `${OUTSTANDING_MAX} calls wait for the ledger worker already`
      return Promise.reject(new LedgerUnavailableError(message))
    }
    const id = this.#nextCall++
    const request: WorkerRequest = { id, name, argument }
    return new Promise((resolve, reject) => {
      this.#outstanding.set(id, { resolve: resolve, reject })
      worker.postMessage(request)
      this.#mailbox.announceCall()
    })
  }

  #answered(reply: WorkerReply): void {
    if (reply.id === BATCH_REPLY) {
      if (reply.outcome !== 'done') this.#batchRefused(errorOf(reply))
      return
    }
    const call = this.#outstanding.get(reply.id)
    if (call === undefined) return
    this.#outstanding.delete(reply.id)
    if (reply.outcome === 'done') call.resolve(reply.answer)
    else call.reject(errorOf(reply))
  }

  /** Every call from now on, and those not answered, fail with `reason`. */
  #end(reason: string): void {
    this.#ended ??= new LedgerFaultError(reason)
    for (const { reject } of this.#outstanding.values()) reject(this.#ended)
    this.#outstanding.clear()
    this.#batchRefused(this.#ended)
  }
}

function errorOf({ outcome, message }: WorkerRefusal): Error {
  return outcome === 'unavailable' ? new LedgerUnavailableError(message) : new LedgerFaultError(message)
}

/** The books are nobody else's to read. */
function makeFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    closeSync(openSync(path, 'a', 0o600))
  } catch (error) {
    throw new LedgerFaultError(`the ledger file ${path} cannot be opened: ${(error as Error).message}`)
  }
}
