import { type Amount, add } from '../../ilp/amount.ts'

/** Packets of one payer to one payee (or compensations of one payer), summed up. */
export interface PacketSum {
  /** `accounts.id` */
  payer: number
  payee: number
  kind: number
  inAmount: Amount
  outAmount: Amount
  count: number
}

/** Row ids stay below 2^25, so that kind and both ids make one exact number. */
export const ACCOUNT_ROWS_MAX = 2 ** 25
const TWO_32 = 0x1_0000_0000
const BYTES_PER_RECORD = 25

/** The columns of a batch's `records`. */
export interface PacketColumns {
  inWords: Uint32Array
  outWords: Uint32Array
  payer: Uint32Array
  payee: Uint32Array
  kind: Uint8Array
}

/** Bytes that `count` records take. */
export function recordsLength(count: number): number {
  return count * BYTES_PER_RECORD
}

/** Views of the columns; `buffer` is at least `recordsLength(count)` long and starts with them. */
export function packetColumns(buffer: ArrayBufferLike, count: number): PacketColumns {
  return {
    inWords: new Uint32Array(buffer, 0, count * 2),
    outWords: new Uint32Array(buffer, count * 8, count * 2),
    payer: new Uint32Array(buffer, count * 16, count),
    payee: new Uint32Array(buffer, count * 20, count),
    kind: new Uint8Array(buffer, count * 24, count),
  }
}

/** Sums packets per payer, payee and kind until they are posted. */
export class PacketNetting {
  readonly #sums = new Map<number, PacketSum>()
  #packets = 0

  /** Pairs waiting to be posted. */
  get pairs(): number {
    return this.#sums.size
  }

  /** Packets waiting to be posted. */
  get packets(): number {
    return this.#packets
  }

  add(columns: PacketColumns, count: number): void {
    const { inWords, outWords, payer, payee, kind } = columns
    for (let at = 0; at < count; at++) {
      const key = (kind[at]! * ACCOUNT_ROWS_MAX + payer[at]!) * ACCOUNT_ROWS_MAX + payee[at]!
      let sum = this.#sums.get(key)
      if (sum === undefined) {
        sum = { payer: payer[at]!, payee: payee[at]!, kind: kind[at]!, inAmount: 0, outAmount: 0, count: 0 }
        this.#sums.set(key, sum)
      }
      sum.inAmount = add(sum.inAmount, readWords(inWords, at))
      sum.outAmount = add(sum.outAmount, readWords(outWords, at))
      sum.count++
    }
    this.#packets += count
  }

  sums(): Iterable<PacketSum> {
    return this.#sums.values()
  }

  clear(): void {
    this.#sums.clear()
    this.#packets = 0
  }
}

function readWords(words: Uint32Array, at: number): Amount {
  const lower = words[at * 2]!
  const upper = words[at * 2 + 1]!
  if (upper < 0x20_0000) return upper * TWO_32 + lower
  return (BigInt(upper) << 32n) | BigInt(lower)
}
