import assert from 'node:assert'
import { performance } from 'node:perf_hooks'
import type { Amount } from '../ilp/amount.ts'
import type { Clock } from '../lib/clock.ts'
import { crashPoint } from '../lib/crash-point.ts'
import type { Logger } from '../lib/logger.ts'
import { BatchBuffer } from './batch-buffer.ts'
import { LedgerFaultError, type LedgerStore, LedgerUnavailableError, RecordKind } from './ledger-store.ts'
import { type PacketSlab, PacketState } from './packet-slab.ts'

export interface BatchWriterOptions {
  /** Most records in one batch; at least 2, so that a packet and its compensation fit. */
  maxBatchRecords: number
  /** A batch that has not landed after this long makes the ledger unavailable until it does, milliseconds. */
  batchSlowMs: number
  /** First and longest pause before a failed batch is repeated, milliseconds; doubles in between. */
  retryMinMs: number
  retryMaxMs: number
}

export interface BatchWriterDeps {
  store: LedgerStore
  slab: PacketSlab
  clock: Clock
  logger: Logger
  /** The batch is durable: move the balances. Slots are still taken. */
  landed(batch: BatchBuffer, tookMs: number): void
  /** Free the slots and tell the listener, in order. */
  announce(batch: BatchBuffer): void
  /** The store does not answer, or not in time. */
  unavailable(reason: string): void
  /** Nothing more will be booked by this process. */
  fault(error: Error): void
}

/**
 * Group commit: one batch is under way at a time, committed packets gather behind it and leave together at the end
 * of a turn. A batch whose outcome is unknown is repeated, unchanged, until the store has it. What waits is bounded
 * by the slab: a slot cannot be used again before it is booked.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions
  readonly #deps: BatchWriterDeps
  readonly #ring: Uint32Array
  #ringHead = 0
  #ringCount = 0
  #current: BatchBuffer
  #spare: BatchBuffer
  /** Compensations for the next batch: at most one per packet of the batch before, so `maxBatchRecords` is room enough. */
  readonly #compensations: { payer: number; amount: Amount }[] = []
  #nextSequence = 0
  #posting = false
  #idleTaskRunning = false
  readonly #idleTasks: (() => Promise<void>)[] = []
  #scheduled = false
  #ended = false
  #startedAt = 0
  #retryDelayMs: number
  #slowTimer: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #drained: (() => void) | undefined
  readonly #run = (): void => this.#pump()
  readonly #onPosted = (): void => this.#posted()
  readonly #onFailed = (error: unknown): void => this.#failed(error)

  constructor(options: BatchWriterOptions, deps: BatchWriterDeps) {
    assert(options.maxBatchRecords >= 2, 'a batch holds at least two records')
    this.#options = options
    this.#deps = deps
    this.#ring = new Uint32Array(deps.slab.capacity)
    this.#current = new BatchBuffer(options.maxBatchRecords)
    this.#spare = new BatchBuffer(options.maxBatchRecords)
    this.#retryDelayMs = options.retryMinMs
  }

  /** Whether a batch is under way, in the store or between two attempts. */
  get busy(): boolean {
    return this.#posting
  }

  /** Packets committed and not yet in a batch. */
  get waiting(): number {
    return this.#ringCount
  }

  /** Puts a committed slot into the next batch. */
  push(slot: number): void {
    assert(this.#ringCount < this.#ring.length, 'more commits than slots')
    this.#ring[(this.#ringHead + this.#ringCount) % this.#ring.length] = slot
    this.#ringCount++
    this.#schedule()
  }

  /** Gives `amount` back to the payer out of LOSS, in the next batch. Called from `landed` only. */
  compensate(payer: number, amount: Amount): void {
    assert(this.#compensations.length < this.#options.maxBatchRecords, 'more compensations than packets')
    this.#compensations.push({ payer, amount })
    this.#schedule()
  }

  /** Runs `task` once no batch is under way, and holds batches back meanwhile. `task` must not reject. */
  whenIdle(task: () => Promise<void>): void {
    this.#idleTasks.push(task)
    this.#schedule()
  }

  /** Repeats a batch that waits for its next attempt now. */
  retryNow(): void {
    if (this.#retryTimer === undefined) return
    clearTimeout(this.#retryTimer)
    this.#post()
  }

  /** Resolves when everything committed is durable. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve
      this.#schedule()
    })
  }

  /** No more attempts. */
  end(): void {
    this.#ended = true
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#slowTimer)
    this.#drained?.()
  }

  #schedule(): void {
    if (this.#scheduled || this.#posting || this.#idleTaskRunning) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  #pump(): void {
    this.#scheduled = false
    if (this.#ended || this.#posting || this.#idleTaskRunning) return
    const task = this.#idleTasks.shift()
    if (task !== undefined) return this.#runIdleTask(task)
    if (this.#ringCount === 0 && this.#compensations.length === 0) {
      this.#drained?.()
      return
    }
    this.#close()
    crashPoint('ledger.batch-closed')
    this.#post()
  }

  #runIdleTask(task: () => Promise<void>): void {
    this.#idleTaskRunning = true
    void task().finally(() => {
      this.#idleTaskRunning = false
      this.#schedule()
    })
  }

  /** Fills the batch: owed compensations first, then packets in the order of their commits. */
  #close(): void {
    const batch = this.#current
    const { slab, store, clock } = this.#deps
    batch.begin(store.epoch, this.#nextSequence)
    for (const { payer, amount } of this.#compensations) {
      batch.push(RecordKind.compensation, 0, payer, 0, amount, 0)
    }
    this.#compensations.length = 0
    while (this.#ringCount > 0) {
      const slot = this.#ring[this.#ringHead]!
      const abandoned = slab.state[slot] === PacketState.abandoned
      if (batch.room < (abandoned ? 2 : 1)) break
      this.#ringHead = (this.#ringHead + 1) % this.#ring.length
      this.#ringCount--
      const payer = slab.payer[slot]!
      const inAmount = slab.inAmount.get(slot)
      batch.push(RecordKind.packet, slot, payer, slab.payee[slot]!, inAmount, slab.outAmount.get(slot))
      if (!abandoned) continue
      batch.push(RecordKind.compensation, slot, payer, 0, inAmount, 0)
      slab.state[slot] = PacketState.compensated
    }
    batch.closedAtMs = clock.now()
    this.#nextSequence += batch.count
    assert(batch.count > 0, 'a batch is not empty')
  }

  #post(): void {
    this.#posting = true
    this.#retryTimer = undefined
    this.#startedAt = performance.now()
    const { batchSlowMs } = this.#options
    this.#slowTimer = setTimeout(() => {
      this.#deps.unavailable(`a batch has not been booked for ${batchSlowMs} ms`)
    }, batchSlowMs)
    this.#deps.store.post(this.#current).then(this.#onPosted, this.#onFailed)
  }

  #posted(): void {
    clearTimeout(this.#slowTimer)
    if (this.#ended) return
    const batch = this.#current
    this.#current = this.#spare
    this.#spare = batch
    this.#retryDelayMs = this.#options.retryMinMs
    this.#posting = false
    this.#deps.landed(batch, performance.now() - this.#startedAt)
    // The next batch leaves before the callbacks, so that the disk works while FULFILLs are relayed.
    this.#pump()
    crashPoint('ledger.committed')
    this.#deps.announce(batch)
  }

  #failed(error: unknown): void {
    clearTimeout(this.#slowTimer)
    if (this.#ended) return
    if (!(error instanceof LedgerUnavailableError)) {
      this.#ended = true
      this.#drained?.()
      const reason = error instanceof Error ? error.message : String(error)
      const fault = error instanceof LedgerFaultError ? error : new LedgerFaultError(reason, { cause: error })
      this.#deps.fault(fault)
      return
    }
    this.#deps.unavailable(error.message)
    this.#deps.logger.debug('batch will be repeated', { delayMs: this.#retryDelayMs, reason: error.message })
    this.#retryTimer = setTimeout(() => this.#post(), this.#retryDelayMs)
    this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, this.#options.retryMaxMs)
  }
}
