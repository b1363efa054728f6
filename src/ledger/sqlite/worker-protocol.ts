import type { AccountBalance, HistoryEntry, HistoryQuery, LedgerAccountSpec, SelfCheck } from '../ledger.ts'
import type { SettlementOutcome, StoredAccount } from '../ledger-store.ts'
import type { RecordBatch } from './sqlite-books.ts'

/** What the main thread asks of the ledger worker: argument and answer of every call. */
export interface WorkerCalls {
  open: { argument: undefined; answer: { epoch: number } }
  /** The batch's buffer is transferred there and, in the answer, back. */
  post: { argument: RecordBatch; answer: ArrayBuffer }
  probe: { argument: undefined; answer: unknown }
  openAccount: {
    argument: { spec: LedgerAccountSpec; index: number; timestampMs: number }
    answer: StoredAccount
  }
  setCreditLimit: { argument: { index: number; limit: bigint; timestampMs: number }; answer: unknown }
  settleIn: { argument: SettlementArgument; answer: boolean }
  holdSettlement: { argument: SettlementArgument; answer: boolean }
  postSettlement: { argument: string; answer: SettlementOutcome }
  voidSettlement: { argument: string; answer: SettlementOutcome }
  balances: { argument: undefined; answer: AccountBalance[] }
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

export type WorkerReply =
  | { id: number; outcome: 'done'; answer: unknown }
  | { id: number; outcome: 'unavailable' | 'fault'; message: string }

/** What the worker is started with. */
export interface WorkerOptions {
  path: string
  packetDetailDays: number
  lockWaitMs: number
}
