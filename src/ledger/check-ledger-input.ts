import type { HistoryQuery, LedgerAccountSpec, SettlementEntry } from './ledger.ts'

const SETTLEMENT_ID_LENGTH_MAX = 128
const HISTORY_LIMIT_MAX = 1000
/** Balances are kept exact far beyond this; a larger limit or settlement is a mistake. 38 decimal digits. */
export const VALUE_MAX = 10n ** 38n

/** @throws RangeError naming the field, when the account cannot be opened as asked */
export function checkAccountSpec(spec: LedgerAccountSpec): void {
  if (!/^[A-Za-z0-9_~.-]{1,128}$/.test(spec.id)) {
    throw new RangeError(`account id "${spec.id.slice(0, 130)}" must be 1 to 128 of A-Z a-z 0-9 _ ~ . -`)
  }
  if (!/^[A-Za-z0-9._-]{1,32}$/.test(spec.assetCode)) {
    throw new RangeError(`asset code "${spec.assetCode.slice(0, 40)}" must be 1 to 32 of A-Z a-z 0-9 . _ -`)
  }
  if (!Number.isInteger(spec.assetScale) || spec.assetScale < 0 || spec.assetScale > 255) {
    throw new RangeError(`asset scale ${spec.assetScale} must be a whole number from 0 to 255`)
  }
  checkLimit('credit limit', spec.creditLimit)
  if (spec.payableLimit !== undefined) checkLimit('payable limit', spec.payableLimit)
}

/** @throws RangeError when a limit is negative or absurd */
export function checkLimit(name: string, limit: bigint): void {
  if (limit < 0n || limit > VALUE_MAX) throw new RangeError(`${name} ${limit} must be from 0 to 10^38`)
}

/** @throws RangeError when the entry cannot be booked */
export function checkSettlement(entry: SettlementEntry): void {
  checkSettlementId(entry.id)
  if (!/^[A-Za-z0-9_~.-]{1,64}$/.test(entry.engine)) {
    throw new RangeError(`engine name "${entry.engine.slice(0, 70)}" must be 1 to 64 of A-Z a-z 0-9 _ ~ . -`)
  }
  if (entry.amount <= 0n || entry.amount > VALUE_MAX) {
    throw new RangeError(`settlement amount ${entry.amount} must be from 1 to 10^38`)
  }
}

/** @throws RangeError when the id is empty or too long */
export function checkSettlementId(id: string): void {
  if (id.length < 1 || id.length > SETTLEMENT_ID_LENGTH_MAX) {
    throw new RangeError(
      `settlement id must have 1 to ${SETTLEMENT_ID_LENGTH_MAX} characters, not ${id.length}`,
    )
  }
}

/** @throws RangeError when the page size is out of bounds */
export function checkHistoryQuery(query: HistoryQuery): void {
  if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > HISTORY_LIMIT_MAX) {
    throw new RangeError(`history limit ${query.limit} must be a whole number from 1 to ${HISTORY_LIMIT_MAX}`)
  }
}
