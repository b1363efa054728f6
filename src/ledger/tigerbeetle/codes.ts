import type { AccountKind } from '../ledger.ts'

/** `code` of our accounts. Part of the stored format: never renumber. */
export const AccountCode = {
  clearing: 1,
  line: 2,
  fx: 3,
  revenue: 4,
  settlement: 5,
  suspense: 6,
  capital: 7,
  loss: 8,
  transit: 9,
  /** Says which asset a ledger number stands for. */
  assetMarker: 20,
  /** Further bytes of a settlement account's engine name. */
  nameContinuation: 21,
  /** One per start of a process. */
  epoch: 22,
  /** Says that the process of an epoch stopped in order. */
  epochReleased: 23,
  /** A starting process asks whether the holder of the books still runs; the holder answers. */
  challenge: 24,
  challengeAnswer: 25,
} as const satisfies Record<AccountKind, number> & Record<string, number>

/** `code` of our transfers. Part of the stored format: never renumber. */
export const TransferCode = {
  packet: 1,
  compensation: 2,
  /** A credit limit that was set; `user_data_128` is the limit. */
  creditLine: 3,
  /** Credit extended because a fulfilled packet must be booked though its payer has no room. */
  lineShortfall: 4,
  settlementIn: 5,
  settlementOut: 6,
} as const

/** Ledger of the accounts that carry no money (epochs and the like). */
export const META_LEDGER = 0xffff_ffff

/** `flags` of transfers. */
export const LINKED = 1
export const PENDING = 2
export const POST_PENDING = 4
export const VOID_PENDING = 8
export const BALANCING_DEBIT = 16

/** `flags` of accounts. */
export const DEBITS_MUST_NOT_EXCEED_CREDITS = 2
export const CREDITS_MUST_NOT_EXCEED_DEBITS = 4

/** `flags` of account filters: both sides, newest first. */
export const BOTH_SIDES_NEWEST_FIRST = 7
/** `flags` of query filters. */
export const NEWEST_FIRST = 1
