import type { AccountBalance, HistoryEntry, HistoryQuery, LedgerAccountSpec, SelfCheck } from '../ledger.ts'
import type { SettlementOutcome, StoredAccount } from '../ledger-store.ts'
import type { MailboxMemory } from './batch-mailbox.ts'

/**
 * What the main thread asks of the ledger worker by message: argument and answer of every call. Batches go through
 * the mailbox; their answer is `BATCH_BOOKED` or a refusal.
 */
export interface WorkerCalls {
  open: { argument: undefined; answer: { epoch: number } }
  probe: { argument: undefined; answer: unknown }
  openAccount: {
    argument: { spec: LedgerAccountSpec; index: number; timestampMs: number }
    answer: StoredAccount
  }
  setCreditLimit: { argument: { index: number; limit: bigint; timestampMs: number }; answer: unknown }
  settleIn: { argument: SettlementArgument; answer: boolean }
  holdSettlement: { argument: SettlementArgument & { isNewTaken: boolean }; answer: boolean }
  postSettlement: { argument: string; answer: SettlementOutcome }
  voidSettlement: { argument: string; answer: SettlementOutcome }
  balances: { argument: undefined; answer: AccountBalance[] }
  balance: { argument: number; answer: AccountBalance }
  history: { argument: HistoryQuery; answer: HistoryEntry[] }
  selfCheck: { argument: undefined; answer: SelfCheck }
  close: { argument: undefined; answer: unknown }
}
export type WorkerCallName = keyof WorkerCalls

export interface SettlementArgument {
  id: string
  index: number
  engine: string
  amount: bigint
  timestampMs: number
}

export interface WorkerRequest {
  id: number
  name: WorkerCallName
  argument: unknown
}

/** Says that the batch in the mailbox is booked: a number, which costs less than an object. */
export const BATCH_BOOKED = 1
/** `id` of a reply that says why the batch in the mailbox was refused. */
export const BATCH_REPLY = -1

export type WorkerReply = { id: number; outcome: 'done'; answer: unknown } | WorkerRefusal

export interface WorkerRefusal {
  id: number
  outcome: 'unavailable' | 'fault'
  message: string
}

/** What the worker is started with. */
export interface WorkerOptions {
  path: string
  packetDetailDays: number
  lockWaitMs: number
  mailbox: MailboxMemory
}
