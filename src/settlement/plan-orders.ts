import type { LedgerAccount } from '../ledger/ledger.ts'
import type { PlannedSettlement, SettlementCause } from './outgoing-journal.ts'
import { convertQuantity } from './quantity.ts'
import type { SettlementIds } from './settlement-ids.ts'
import type { SettlementTerms } from './settlement-terms.ts'
import { splitAmount } from './split-amount.ts'

export interface OrderParts {
  account: LedgerAccount
  terms: SettlementTerms
  /** In which the engine counts. */
  engineScale: number
  cause: SettlementCause
  /** So many orders at most. */
  partsMax: number
  ids: SettlementIds
}

/** Orders for the amount, under new ids; none when it is less than a unit of the engine or than the minimum. */
export function planOrders(
  amount: bigint,
  { account, cause, engineScale, ids, partsMax, terms }: OrderParts,
): PlannedSettlement[] {
  const { assetCode, assetScale, id: accountId } = account
  const { engine, maxAmount, minAmount } = terms
  const rules = { minAmount, maxAmount, fromScale: assetScale, toScale: engineScale, partsMax }
  return splitAmount(amount, rules).map((part) => ({
    id: ids.next(),
    accountId,
    engine,
    assetCode,
    assetScale,
    amount: part,
    quantity: {
      amount: convertQuantity({ amount: part, scale: assetScale }, engineScale).amount,
      scale: engineScale,
    },
    cause,
  }))
}
