import { AmountColumn } from '../ilp/amount-column.ts'

/** Where a slot stands in the exclusive ledger. */
export const PacketState = {
  free: 0,
  reserved: 1,
  /** Reserved without value: never reaches the store. */
  reservedZero: 2,
  /** Waits for its batch, or is in one. */
  committed: 3,
  committedZero: 4,
  /** Committed, and its payer was told R00: a compensation must follow. */
  abandoned: 5,
  /** As `abandoned`, with the compensation in the same batch. */
  compensated: 6,
} as const
export type PacketState = (typeof PacketState)[keyof typeof PacketState]

/** Packets in flight by slot, in arrays allocated once. */
export class PacketSlab {
  readonly capacity: number
  readonly state: Uint8Array
  /** Account indexes. */
  readonly payer: Uint32Array
  readonly payee: Uint32Array
  readonly inAmount: AmountColumn
  readonly outAmount: AmountColumn

  constructor(capacity: number) {
    this.capacity = capacity
    this.state = new Uint8Array(capacity)
    this.payer = new Uint32Array(capacity)
    this.payee = new Uint32Array(capacity)
    this.inAmount = new AmountColumn(capacity)
    this.outAmount = new AmountColumn(capacity)
  }

  free(slot: number): void {
    this.state[slot] = PacketState.free
    this.inAmount.clear(slot)
    this.outAmount.clear(slot)
  }
}
