import type { EngineStore } from '../engine-store.ts'

/** `surplus`: paid by vouchers and not for any order in the books; it pays the next ones. */
export type TotalKind = 'settled' | 'credited' | 'surplus'

/** Adds to a running sum; part of the caller's transaction. */
export function addToTotal(store: EngineStore, kind: TotalKind, accountId: string, amount: bigint): void {
  store.database
    .prepare(
      'INSERT INTO engine_totals VALUES (?, ?, ?) ON CONFLICT (kind, account_id) DO UPDATE SET amount = excluded.amount',
    )
    .run(kind, accountId, String(totalOf(store, kind, accountId) + amount))
}

/** Part of the caller's transaction. */
export function setTotal(store: EngineStore, kind: TotalKind, accountId: string, amount: bigint): void {
  addToTotal(store, kind, accountId, amount - totalOf(store, kind, accountId))
}

export function totalOf(store: EngineStore, kind: TotalKind, accountId: string): bigint {
  const row = store.database
    .prepare('SELECT amount FROM engine_totals WHERE kind = ? AND account_id = ?')
    .get(kind, accountId) as { amount: string } | undefined
  return BigInt(row?.amount ?? 0)
}
