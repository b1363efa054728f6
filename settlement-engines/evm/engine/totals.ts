import type { EngineStore } from '../engine-store.ts'

export type TotalKind = 'settled' | 'credited'

/** Adds to a running sum; part of the caller's transaction. */
export function addToTotal(store: EngineStore, kind: TotalKind, accountId: string, amount: bigint): void {
  store.database
    .prepare(
      'INSERT INTO engine_totals VALUES (?, ?, ?) ON CONFLICT (kind, account_id) DO UPDATE SET amount = excluded.amount',
    )
    .run(kind, accountId, String(totalOf(store, kind, accountId) + amount))
}

export function totalOf(store: EngineStore, kind: TotalKind, accountId: string): bigint {
  const row = store.database
    .prepare('SELECT amount FROM engine_totals WHERE kind = ? AND account_id = ?')
    .get(kind, accountId) as { amount: string } | undefined
  return BigInt(row?.amount ?? 0)
}
