import type { Ledger } from '../ledger/ledger.ts'

/** What settlement needs of the ledger. */
export type SettlementLedger = Pick<
  Ledger,
  | 'available'
  | 'probe'
  | 'openAccount'
  | 'settleIn'
  | 'holdSettlement'
  | 'postSettlement'
  | 'voidSettlement'
  | 'balance'
  | 'balances'
  | 'history'
>
