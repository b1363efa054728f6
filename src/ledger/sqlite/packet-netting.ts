import { type Amount, add } from '../../ilp/amount.ts'

/**
 * Pairs of payer and payee that are summed one by one. Where more pairs meet, the others are summed by account: the
 * rows to write then grow with the accounts and not with their square.
 */
export const PAIRS_MAX = 1_024

/** Row ids begin at 1. */
export const NO_ACCOUNT = 0

export const SumKind = {
  packets: 0,
  compensations: 1,
  /** Packets between two assets, summed by account. */
  exchanged: 2,
} as const
export type SumKind = (typeof SumKind)[keyof typeof SumKind]

/**
 * Packets of one payer to one payee, or compensations of one payer, summed up. One of both accounts is `NO_ACCOUNT`
 * where packets are summed by account: each of them is then in two sums, its payer's and its payee's.
 */
export interface PacketSum {
  /** `accounts.id` */
  payer: number
  payee: number
  kind: SumKind
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
  readonly #assetName: (row: number) => string
  readonly #pairs = new Map<number, PacketSum>()
  /** Sums by account, by its row id: as payer and as payee, of packets within its asset and of exchanged ones. */
  readonly #halves: Record<'paid' | 'got' | 'paidAway' | 'gotFromAway', PacketSum[]> = {
    paid: [],
    got: [],
    paidAway: [],
    gotFromAway: [],
  }
  readonly #byAccount: PacketSum[] = []
  readonly #assets = new Map<string, number>()
  /** Number of the asset of the account with that row id. */
  readonly #assetOf: number[] = []
  #packets = 0

  /** `assetName` tells the asset of the account with a row id. */
  constructor(assetName: (row: number) => string) {
    this.#assetName = assetName
  }

  /** Sums waiting to be posted. */
  get size(): number {
    return this.#pairs.size + this.#byAccount.length
  }

  /** Packets waiting to be posted. */
  get packets(): number {
    return this.#packets
  }

  add(columns: PacketColumns, count: number): void {
    const { inWords, outWords, payer, payee, kind } = columns
    for (let at = 0; at < count; at++) {
      const inAmount = readWords(inWords, at)
      const outAmount = readWords(outWords, at)
      if (this.#pairs.size < PAIRS_MAX || kind[at] === SumKind.compensations) {
        addTo(this.#pair(kind[at] as SumKind, payer[at]!, payee[at]!), inAmount, outAmount)
      } else {
        this.#addByAccount(payer[at]!, payee[at]!, inAmount, outAmount)
      }
    }
    this.#packets += count
  }

  *sums(): Iterable<PacketSum> {
    yield* this.#pairs.values()
    yield* this.#byAccount
  }

  clear(): void {
    this.#pairs.clear()
    for (const halves of Object.values(this.#halves)) halves.length = 0
    this.#byAccount.length = 0
    this.#packets = 0
  }

  #pair(kind: SumKind, payer: number, payee: number): PacketSum {
    const key = (kind * ACCOUNT_ROWS_MAX + payer) * ACCOUNT_ROWS_MAX + payee
    let sum = this.#pairs.get(key)
    if (sum === undefined) {
      sum = { payer, payee, kind, inAmount: 0, outAmount: 0, count: 0 }
      this.#pairs.set(key, sum)
    }
    return sum
  }

  #addByAccount(payer: number, payee: number, inAmount: Amount, outAmount: Amount): void {
    const { paid, got, paidAway, gotFromAway } = this.#halves
    const isExchange = this.#asset(payer) !== this.#asset(payee)
    const kind = isExchange ? SumKind.exchanged : SumKind.packets
    const payerSum = (isExchange ? paidAway : paid)[payer] ?? this.#half(kind, payer, NO_ACCOUNT)
    addTo(payerSum, inAmount, outAmount)
    const payeeSum = (isExchange ? gotFromAway : got)[payee] ?? this.#half(kind, NO_ACCOUNT, payee)
    addTo(payeeSum, inAmount, outAmount)
  }

  #half(kind: SumKind, payer: number, payee: number): PacketSum {
    const sum = { payer, payee, kind, inAmount: 0, outAmount: 0, count: 0 }
    const { paid, got, paidAway, gotFromAway } = this.#halves
    const isExchange = kind === SumKind.exchanged
    if (payee === NO_ACCOUNT) (isExchange ? paidAway : paid)[payer] = sum
    else (isExchange ? gotFromAway : got)[payee] = sum
    this.#byAccount.push(sum)
    return sum
  }

  #asset(row: number): number {
    const known = this.#assetOf[row]
    if (known !== undefined) return known
    const name = this.#assetName(row)
    const asset = this.#assets.get(name) ?? this.#assets.size
    this.#assets.set(name, asset)
    this.#assetOf[row] = asset
    return asset
  }
}

function addTo(sum: PacketSum, inAmount: Amount, outAmount: Amount): void {
  sum.inAmount = add(sum.inAmount, inAmount)
  sum.outAmount = add(sum.outAmount, outAmount)
  sum.count++
}

function readWords(words: Uint32Array, at: number): Amount {
  const lower = words[at * 2]!
  const upper = words[at * 2 + 1]!
  if (upper < 0x20_0000) return upper * TWO_32 + lower
  return (BigInt(upper) << 32n) | BigInt(lower)
}
