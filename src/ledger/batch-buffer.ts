import assert from 'node:assert'
import { endianness } from 'node:os'
import type { Amount } from '../ilp/amount.ts'
import type { PacketBatch, RecordKind } from './ledger-store.ts'

const TWO_32 = 0x1_0000_0000
/** Bytes of one record: two 64-bit amounts, two 32-bit account indexes, one kind. */
const RECORD_BYTES = 8 + 8 + 4 + 4 + 1

/** A batch being filled: parallel arrays over one buffer that is allocated once and used again. */
export class BatchBuffer implements PacketBatch {
  epoch = 0
  firstSequence = 0
  count = 0
  closedAtMs = 0
  readonly capacity: number
  readonly payer: Uint32Array
  readonly payee: Uint32Array
  readonly inAmount: BigUint64Array
  readonly outAmount: BigUint64Array
  readonly kind: Uint8Array
  /** The caller's slot of each record; only meaningful for packets. */
  readonly slot: Uint32Array
  readonly #inWords: Uint32Array
  readonly #outWords: Uint32Array

  constructor(capacity: number) {
    assert(endianness() === 'LE', 'amounts are written as little-endian words')
    this.capacity = capacity
    const buffer = new ArrayBuffer(capacity * RECORD_BYTES)
    this.inAmount = new BigUint64Array(buffer, 0, capacity)
    this.outAmount = new BigUint64Array(buffer, capacity * 8, capacity)
    this.payer = new Uint32Array(buffer, capacity * 16, capacity)
    this.payee = new Uint32Array(buffer, capacity * 20, capacity)
    this.kind = new Uint8Array(buffer, capacity * 24, capacity)
    this.#inWords = new Uint32Array(buffer, 0, capacity * 2)
    this.#outWords = new Uint32Array(buffer, capacity * 8, capacity * 2)
    this.slot = new Uint32Array(capacity)
  }

  get room(): number {
    return this.capacity - this.count
  }

  /** Empties it for a new batch. */
  begin(epoch: number, firstSequence: number): void {
    this.epoch = epoch
    this.firstSequence = firstSequence
    this.count = 0
  }

  push(
    kind: RecordKind,
    slot: number,
    payer: number,
    payee: number,
    inAmount: Amount,
    outAmount: Amount,
  ): void {
    const at = this.count++
    assert(at < this.capacity, 'batch is full')
    this.kind[at] = kind
    this.slot[at] = slot
    this.payer[at] = payer
    this.payee[at] = payee
    writeWords(this.#inWords, this.inAmount, at, inAmount)
    writeWords(this.#outWords, this.outAmount, at, outAmount)
  }
}

/** Writes 64 bits without making a bigint of a number. */
function writeWords(words: Uint32Array, wide: BigUint64Array, at: number, amount: Amount): void {
  if (typeof amount === 'bigint') {
    wide[at] = amount
    return
  }
  const lower = amount >>> 0
  words[at * 2] = lower
  words[at * 2 + 1] = (amount - lower) / TWO_32
}
