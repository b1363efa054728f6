import assert from 'node:assert'
import { AmountColumn } from '../ilp/amount-column.ts'
import type { Account } from './account.ts'

/** Where a packet in flight stands. */
export const SlotState = {
  free: 0,
  /** Waiting for the ledger to set the payer's credit aside (shared ledger). */
  reserving: 1,
  /** The payer was told R00 while reserving; released when the ledger answers. */
  reservingExpired: 2,
  /** With the next hop. */
  sent: 3,
  /** Fulfilled; its FULFILL is held until the ledger has booked it. */
  committing: 4,
  /** Its FULFILL went back at once: only the ledger's word is missing. */
  relayed: 5,
  /** Fulfilled, but its payer had to be told R00: only the ledger's word is missing. */
  abandoned: 6,
} as const
export type SlotState = (typeof SlotState)[keyof typeof SlotState]

const INDEX_BITS = 16
const INDEX_MASK = 0xffff
/** Generation 0xffff is never used: tokens from 0xffff0000 up belong to the links. */
const GENERATIONS = 0xffff
export const NO_SLOT = -1

/**
 * The slab of packets in flight: arrays by slot, allocated once. A packet's token is its slot and the slot's
 * generation; slots are reused first in, first out, so that a token comes back only after thousands of millions
 * of packets and a late or repeated answer finds nothing.
 */
export class InFlight {
  readonly capacity: number
  readonly state: Uint8Array
  /** Payer's account; undefined for requests of this node itself. */
  readonly payer: (Account | undefined)[]
  readonly payee: (Account | undefined)[]
  readonly handle: Float64Array
  readonly conditions: Buffer
  readonly inExpiryMs: Float64Array
  readonly outExpiryMs: Float64Array
  /** `performance.now()` at arrival, milliseconds. */
  readonly arrivedAt: Float64Array
  readonly inAmount: AmountColumn
  readonly outAmount: AmountColumn
  readonly #generation: Uint16Array
  readonly #freeRing: Uint32Array
  #freeHead = 0
  #freeCount: number

  /** @param capacity 1 to 65,536 */
  constructor(capacity: number) {
    assert(capacity > 0 && capacity <= 1 << INDEX_BITS)
    this.capacity = capacity
    this.state = new Uint8Array(capacity)
    this.payer = new Array<Account | undefined>(capacity).fill(undefined)
    this.payee = new Array<Account | undefined>(capacity).fill(undefined)
    this.handle = new Float64Array(capacity)
    this.conditions = Buffer.alloc(capacity * 32)
    this.inExpiryMs = new Float64Array(capacity)
    this.outExpiryMs = new Float64Array(capacity)
    this.arrivedAt = new Float64Array(capacity)
    this.inAmount = new AmountColumn(capacity)
    this.outAmount = new AmountColumn(capacity)
    this.#generation = new Uint16Array(capacity)
    this.#freeRing = Uint32Array.from({ length: capacity }, (_, slot) => slot)
    this.#freeCount = capacity
  }

  get used(): number {
    return this.capacity - this.#freeCount
  }

  /** A free slot, or `NO_SLOT`. */
  take(): number {
    if (this.#freeCount === 0) return NO_SLOT
    const slot = this.#freeRing[this.#freeHead]!
    this.#freeHead = (this.#freeHead + 1) % this.capacity
    this.#freeCount--
    return slot
  }

  free(slot: number): void {
    assert(this.#freeCount < this.capacity, 'slot freed twice')
    this.state[slot] = SlotState.free
    this.payer[slot] = undefined
    this.payee[slot] = undefined
    this.inAmount.clear(slot)
    this.outAmount.clear(slot)
    this.#generation[slot] = (this.#generation[slot]! + 1) % GENERATIONS
    this.#freeRing[(this.#freeHead + this.#freeCount) % this.capacity] = slot
    this.#freeCount++
  }

  token(slot: number): number {
    return ((this.#generation[slot]! << INDEX_BITS) | slot) >>> 0
  }

  /** The slot that the token was given for, or `NO_SLOT` when that packet is no longer in flight. */
  slotOf(token: number): number {
    const slot = token & INDEX_MASK
    if (slot >= this.capacity || token >>> INDEX_BITS !== this.#generation[slot]) return NO_SLOT
    return this.state[slot] === SlotState.free ? NO_SLOT : slot
  }
}
