import assert from 'node:assert'
import { AmountColumn } from '../../ilp/amount-column.ts'

/** Where a packet stands. `queued`: waits for the next request; `sent`: in the one under way. */
export const SharedState = {
  free: 0,
  reserveQueued: 1,
  reserveSent: 2,
  reserved: 3,
  postQueued: 4,
  postSent: 5,
  /** Its pending transfer could not be posted: being booked as a plain one. */
  rebooking: 6,
  voidQueued: 7,
  voidSent: 8,
  compensateQueued: 9,
  compensateSent: 10,
} as const
export type SharedState = (typeof SharedState)[keyof typeof SharedState]

/** No slot: the packet was released, or its reservation was given up. */
export const DETACHED = -1

/**
 * Packets of the shared ledger in arrays allocated once. A packet outlives its slot: after a release its pending
 * transfer must still be voided.
 */
export class SharedPackets {
  readonly capacity: number
  readonly state: Uint8Array
  readonly slot: Int32Array
  readonly sequence: Float64Array
  /** Account indexes. */
  readonly payer: Uint32Array
  readonly payee: Uint32Array
  readonly inAmount: AmountColumn
  readonly outAmount: AmountColumn
  /** 1: the payer was told R00 while the commit was under way. */
  readonly abandoned: Uint8Array
  readonly #free: Uint32Array
  #freeCount: number

  constructor(capacity: number) {
    this.capacity = capacity
    this.state = new Uint8Array(capacity)
    this.slot = new Int32Array(capacity).fill(DETACHED)
    this.sequence = new Float64Array(capacity)
    this.payer = new Uint32Array(capacity)
    this.payee = new Uint32Array(capacity)
    this.inAmount = new AmountColumn(capacity)
    this.outAmount = new AmountColumn(capacity)
    this.abandoned = new Uint8Array(capacity)
    this.#free = Uint32Array.from({ length: capacity }, (_, at) => capacity - 1 - at)
    this.#freeCount = capacity
  }

  /** How many are not free. */
  get count(): number {
    return this.capacity - this.#freeCount
  }

  /** A free place, or undefined when all are taken. */
  take(): number | undefined {
    return this.#freeCount === 0 ? undefined : this.#free[--this.#freeCount]
  }

  free(packet: number): void {
    assert(this.state[packet] !== SharedState.free, 'packet is freed once')
    this.state[packet] = SharedState.free
    this.slot[packet] = DETACHED
    this.abandoned[packet] = 0
    this.inAmount.clear(packet)
    this.outAmount.clear(packet)
    this.#free[this.#freeCount++] = packet
  }
}
