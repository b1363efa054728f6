import assert from 'node:assert'
import { BATCH_RECORDS_MAX, type PacketBatch } from '../ledger-store.ts'
import { packetColumns, recordsLength } from './packet-netting.ts'
import type { RecordBatch } from './sqlite-books.ts'

/** Places in the control words. */
const BELL = 0
const CALLS = 1
const BATCH = 2
const COUNT = 3
const CONTROL_WORDS = 4

/** Whose the records are: the main thread's to fill, or the worker's to book. */
const EMPTY = 0
const WAITING = 1

export interface MailboxMemory {
  control: SharedArrayBuffer
  /** First sequence and time of closing, both exact as doubles. */
  header: SharedArrayBuffer
  records: SharedArrayBuffer
}

/**
 * Memory shared by the main thread and the ledger worker: one batch at a time, and a bell that wakes the worker. The
 * bell is faster than a message, and nothing is serialised. The answer comes as a message all the same: `waitAsync`,
 * its counterpart for the main thread, was seen to lose a wake-up.
 */
export class BatchMailbox {
  readonly memory: MailboxMemory
  readonly #control: Int32Array
  readonly #header: Float64Array
  #heard = 0
  #callsSeen = 0

  constructor(
    memory: MailboxMemory = {
      control: new SharedArrayBuffer(CONTROL_WORDS * 4),
      header: new SharedArrayBuffer(16),
      records: new SharedArrayBuffer(recordsLength(BATCH_RECORDS_MAX)),
    },
  ) {
    this.memory = memory
    this.#control = new Int32Array(memory.control)
    this.#header = new Float64Array(memory.header)
  }

  /** Main thread: copies a batch in and wakes the worker. None may be under way. */
  put({ firstSequence, count, closedAtMs, ...columns }: PacketBatch): void {
    assert(count <= BATCH_RECORDS_MAX, 'batch is too large for the worker')
    assert(Atomics.load(this.#control, BATCH) === EMPTY, 'a batch is under way already')
    const { records } = this.memory
    new BigUint64Array(records, 0, count).set(columns.inAmount.subarray(0, count))
    new BigUint64Array(records, count * 8, count).set(columns.outAmount.subarray(0, count))
    const { payer, payee, kind } = packetColumns(records, count)
    payer.set(columns.payer.subarray(0, count))
    payee.set(columns.payee.subarray(0, count))
    kind.set(columns.kind.subarray(0, count))
    this.#header[0] = firstSequence
    this.#header[1] = closedAtMs
    this.#control[COUNT] = count
    Atomics.store(this.#control, BATCH, WAITING)
    this.#ring()
  }

  /** Main thread: a message has been posted to the worker. */
  announceCall(): void {
    Atomics.add(this.#control, CALLS, 1)
    this.#ring()
  }

  /** Worker: sleeps until the bell rings, for `timeoutMs` at most. Returns at once if it rang since the last time. */
  sleep(timeoutMs: number): void {
    Atomics.wait(this.#control, BELL, this.#heard, timeoutMs)
    this.#heard = Atomics.load(this.#control, BELL)
  }

  /** Worker: whether messages have been posted since the last time. */
  hasCalls(): boolean {
    const calls = Atomics.load(this.#control, CALLS)
    const has = calls !== this.#callsSeen
    this.#callsSeen = calls
    return has
  }

  /** Worker: the batch that waits, over the shared memory itself. */
  take(): RecordBatch | undefined {
    if (Atomics.load(this.#control, BATCH) === EMPTY) return undefined
    return {
      firstSequence: this.#header[0]!,
      closedAtMs: this.#header[1]!,
      count: this.#control[COUNT]!,
      buffer: this.memory.records,
    }
  }

  /** Worker: gives the memory back to the main thread. To be called before the answer goes out. */
  giveBack(): void {
    Atomics.store(this.#control, BATCH, EMPTY)
  }

  #ring(): void {
    Atomics.add(this.#control, BELL, 1)
    Atomics.notify(this.#control, BELL)
  }
}
