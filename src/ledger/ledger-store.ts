import type { AccountBalance, HistoryEntry, HistoryQuery, LedgerAccountSpec, SelfCheck } from './ledger.ts'

/**
 * Durable books behind the `exclusive` way of running: balances and limits live in the process, the store only
 * writes. Two stores: `sqlite` and `tigerbeetle`. Every write is idempotent by its id, so that a caller who does
 * not know whether a call took effect repeats it unchanged.
 *
 * Every method rejects with {@link LedgerUnavailableError} when the outcome is unknown or the store cannot be
 * reached inside its deadline, and with `LedgerFaultError` when it can never succeed.
 */
export interface LedgerStore {
  /** Opens the books and takes a new epoch. Refuses when another process holds them. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Unique per start, rising. Part of every packet id: (epoch, sequence) never repeats. */
  readonly epoch: number
  probe(): Promise<void>
  /**
   * `index` is the caller's dense index, used in batches from now on. Returns the posted and held state, of every
   * call that was answered before. A new account gets the credit limit of `spec`; an existing one keeps its own
   * (`setCreditLimit` changes it). Repeated for an open account with the same index, it reads the state anew.
   */
  openAccount(spec: LedgerAccountSpec, index: number): Promise<StoredAccount>
  setCreditLimit(index: number, limit: bigint): Promise<void>
  /**
   * Books all packets of a batch durably, in one transaction (or as many as the store needs, each packet whole).
   * Repeating a batch with the same epoch and sequence books nothing twice.
   */
  post(batch: PacketBatch): Promise<void>
  /** False when the id was booked before with the same fields. */
  settleIn(id: string, index: number, engine: string, amount: bigint): Promise<boolean>
  /**
   * Rejects with `LedgerFaultError` when the id was used with other fields.
   * @param isNewTaken false: the account has no room for the amount. Only what is held, or was, is found again then;
   * anything else is refused with `LedgerFaultError`, and nothing is held
   */
  holdSettlement(
    id: string,
    index: number,
    engine: string,
    amount: bigint,
    isNewTaken: boolean,
  ): Promise<void>
  /** Resolves with the account and amount it moved; posting twice is harmless. */
  postSettlement(id: string): Promise<SettlementOutcome>
  voidSettlement(id: string): Promise<SettlementOutcome>
  balances(): Promise<AccountBalance[]>
  /** Of one clearing account; takes as long among many accounts as among few. */
  balance(index: number): Promise<AccountBalance>
  history(query: HistoryQuery): Promise<HistoryEntry[]>
  selfCheck(): Promise<SelfCheck>
}

export interface StoredAccount {
  /** Credits minus debits of the clearing account, without the credit line. */
  balance: bigint
  /** Sum of outgoing settlements held and not yet posted or voided. */
  held: bigint
  creditLimit: bigint
}

export interface SettlementOutcome {
  /** -1 when the account is not open in this process. */
  index: number
  amount: bigint
  /** False when it had already been resolved the same way. */
  changed: boolean
}

/** Records in one batch, at most: one flush of some 200 kB; more would only add latency. */
export const BATCH_RECORDS_MAX = 8_192

/**
 * Fulfilled packets, one record each, in `count` entries of parallel arrays over one transferable buffer.
 * Same asset: Dr payer in, Cr payee out, Cr REVENUE in - out. Other asset: Dr payer in / Cr FX, Dr FX / Cr payee out.
 */
export interface PacketBatch {
  epoch: number
  /** Sequence of the first record; the others follow on. */
  firstSequence: number
  count: number
  /** Milliseconds since the epoch when the batch was closed. */
  closedAtMs: number
  payer: Uint32Array
  payee: Uint32Array
  inAmount: BigUint64Array
  outAmount: BigUint64Array
  /** See {@link RecordKind}. */
  kind: Uint8Array
}

export const RecordKind = {
  packet: 0,
  /** Undoes the payer's side of a packet whose payer was told R00: Dr LOSS in, Cr payer in. `payee`, `outAmount` unused (0). */
  compensation: 1,
} as const
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind]

/** The outcome is unknown, or the books cannot be reached now. Repeat the same call later. */
export class LedgerUnavailableError extends Error {
  override readonly name = 'LedgerUnavailableError'
}

/** The call can never succeed: a bug, corrupt books, or a contradiction with what is booked. */
export class LedgerFaultError extends Error {
  override readonly name = 'LedgerFaultError'
}
