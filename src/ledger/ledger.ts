import type { Amount } from '../ilp/amount.ts'

/**
 * The connector's accounting, in its own verbs. Forwarding talks to this contract only; how the books are kept
 * (`exclusive` over sqlite or tigerbeetle, `shared` over tigerbeetle) is chosen in the configuration.
 * `test/compliance/ledger.ts` is the suite that every way passes. Amounts are exact; see `Amount`.
 *
 * Sign: a balance above zero is what we owe the peer, below zero what the peer owes us.
 */
export interface Ledger {
  /** Opens the backend, loads the accounts. Rejects with a clear error when it cannot be used. */
  start(): Promise<void>
  /** Flushes what was committed and closes. Idempotent, bounded by a deadline. */
  stop(): Promise<void>
  /** Who hears the outcomes of packets. Set once, before the first packet. */
  listener: PacketListener
  /** False while the backend does not answer or cannot write: value packets are not taken. */
  readonly available: boolean
  /** Milliseconds the last probe or batch took; undefined while it is not available. */
  readonly latencyMs: number | undefined
  /** One cheap round trip to the backend, bounded by a deadline; turns `available`. */
  probe(): Promise<void>

  /** Opens the account or finds it; the same id with another asset is an error. Idempotent. */
  openAccount(spec: LedgerAccountSpec): Promise<LedgerAccount>
  /** How far the balance may go below zero. Lowering below what is used takes effect at once for new packets. */
  setCreditLimit(account: LedgerAccount, limit: bigint): Promise<void>
  /** The most we may owe the account (balance plus packets in flight to it); undefined lifts it. */
  setPayableLimit(account: LedgerAccount, limit: bigint | undefined): void

  /**
   * Sets aside `inAmount` of the payer's credit for the packet in `slot`, and room for `outAmount` to the payee.
   * `pending` (shared mode): `listener.reserved` follows.
   */
  reserve(
    slot: number,
    payer: LedgerAccount,
    payee: LedgerAccount,
    inAmount: Amount,
    outAmount: Amount,
  ): ReserveOutcome
  /** The payee fulfilled in time: book the packet. `listener.committed` follows, once, unless the process dies. */
  commit(slot: number): void
  /** The packet was rejected or expired: give the reservation back. No callback; the slot is free at once. */
  release(slot: number): void
  /**
   * The payer was told R00 while the commit was under way: when it lands, the payer is made good out of LOSS, the
   * payee keeps what it earned. `listener.committed` still follows.
   */
  abandon(slot: number): void

  /** Money received from a peer outside ILP: Dr SETTLEMENT(engine), Cr clearing. False when `id` was booked before. */
  settleIn(settlement: SettlementEntry): Promise<boolean>
  /**
   * Holds the amount of an outgoing settlement. Idempotent by id. Rejects when the id was used with other fields, or when
   * the account has no room for the amount: balance and credit limit less packets in flight and what is held already.
   */
  holdSettlement(settlement: SettlementEntry): Promise<void>
  /** The engine reports done: post the held amount. Idempotent. */
  postSettlement(id: string): Promise<void>
  /** The engine refused for good: give the held amount back. Idempotent. */
  voidSettlement(id: string): Promise<void>

  balances(): Promise<AccountBalance[]>
  balance(account: LedgerAccount): Promise<AccountBalance>
  /** Newest first. `limit` 1 to 1000. */
  history(query: HistoryQuery): Promise<HistoryEntry[]>
  /** Checks that debits equal credits in every asset. */
  selfCheck(): Promise<SelfCheck>
}

export const ReserveOutcome = {
  reserved: 0,
  /** The answer comes through `listener.reserved`. */
  pending: 1,
  /** The payer's credit limit has no room. T04. */
  creditExceeded: 2,
  /** We would owe the payee more than allowed. T04. */
  payableExceeded: 3,
  /** The backend is not available. T00. */
  unavailable: 4,
} as const
export type ReserveOutcome = (typeof ReserveOutcome)[keyof typeof ReserveOutcome]

export interface PacketListener {
  /** Answer to a `reserve` that was `pending`; never `pending` itself. On anything but `reserved` the slot is free. */
  reserved(slot: number, outcome: ReserveOutcome): void
  /** The packet is durably booked; the slot is free. */
  committed(slot: number): void
}

export interface LedgerAccountSpec {
  /** Unique in the node, URL-safe. */
  id: string
  assetCode: string
  assetScale: number
  /** Smallest units; at least 0. */
  creditLimit: bigint
  /** Smallest units; undefined: no limit. */
  payableLimit: bigint | undefined
}

/** An open account. The ledger's own object: others only hold it and hand it back. */
export interface LedgerAccount {
  readonly id: string
  readonly assetCode: string
  readonly assetScale: number
  /** Dense, from 0, stable while the process runs. */
  readonly index: number
  /** Posted balance as last known; sign as above. */
  readonly balance: Amount
  /** Incoming value of packets in flight from this account. */
  readonly reserved: Amount
  /** Outgoing value of packets in flight to this account. */
  readonly outgoing: Amount
  readonly creditLimit: Amount
}

export interface SettlementEntry {
  /** Idempotency key; at most 128 characters. */
  id: string
  account: LedgerAccount
  /** Engine name, e.g. `evm`; one SETTLEMENT account per engine and asset. */
  engine: string
  amount: bigint
}

export type AccountKind =
  | 'clearing'
  | 'line'
  | 'fx'
  | 'revenue'
  | 'settlement'
  | 'suspense'
  | 'capital'
  | 'loss'
  | 'transit'

export interface AccountBalance {
  /** Account id for clearing and line; `<kind>:<asset>[:<engine>]` for the others. */
  id: string
  kind: AccountKind
  assetCode: string
  assetScale: number
  debitsPosted: bigint
  creditsPosted: bigint
  debitsPending: bigint
  creditsPending: bigint
  /** Clearing accounts: credits minus debits, without the credit line. Others: credits minus debits. */
  balance: bigint
}

export interface HistoryQuery {
  accountId: string
  limit: number
  /** Exclusive upper bound: `HistoryEntry.cursor` of the last entry of the page before. */
  before?: string
}

export interface HistoryEntry {
  cursor: string
  /** Transfer id, unique in the ledger. */
  id: string
  kind: 'packets' | 'settlement-in' | 'settlement-out' | 'credit-line' | 'loss'
  /** As `AccountBalance.id`; a credit line as `line:<account id>`. */
  debitAccount: string
  creditAccount: string
  amount: bigint
  /** Packets that this transfer sums up; 0 for the other kinds. */
  packetCount: number
  state: 'posted' | 'pending' | 'voided'
  timestampMs: number
}

export interface SelfCheck {
  balanced: boolean
  /** One line per asset. */
  assets: { assetCode: string; assetScale: number; debits: bigint; credits: bigint }[]
}
