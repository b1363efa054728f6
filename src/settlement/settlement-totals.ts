import type { DatabaseSync } from 'node:sqlite'

/**
 * Running sums of the journal, changed in the transaction that moves the row:
 * `carried-out` engine units, when an engine said that an order is done; `posted` account units, when the ledger has
 * it; `told` credit units, when an engine told a credit (account '' when it knew none); `booked` account units, when
 * the ledger has it; `suspended` credit units that stand in SUSPENSE. `held`, account units, is never moved by a row: an
 * operator has accepted that the ledger holds it for no order.
 */
export type TotalKind = 'carried-out' | 'posted' | 'told' | 'booked' | 'suspended' | 'held'

export interface Total {
  kind: TotalKind
  engine: string
  /** Empty string: no account. */
  accountId: string
  assetCode: string
  scale: number
  amount: bigint
}

/** Adds to the sum, inside the caller's transaction. `amount` may be negative. */
export function addToTotal(database: DatabaseSync, total: Total): void {
  const { kind, engine, accountId, assetCode, scale } = total
  const key = [engine, accountId, kind, assetCode, scale] as const
  const row = database
    .prepare(
      'SELECT amount FROM settlement_totals WHERE engine = ? AND account_id = ? AND kind = ? AND asset_code = ? AND scale = ?',
    )
    .get(...key)
  const sum = (row === undefined ? 0n : BigInt(row.amount as string)) + total.amount
  database
    .prepare(
      `INSERT INTO settlement_totals (engine, account_id, kind, asset_code, scale, amount) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (engine, account_id, kind, asset_code, scale) DO UPDATE SET amount = excluded.amount`,
    )
    .run(...key, sum.toString())
}

/** All sums of an engine, or those of one of its accounts. */
export function totalsOf(database: DatabaseSync, engine: string, accountId?: string): Total[] {
  const rows = database
    .prepare('SELECT * FROM settlement_totals WHERE engine = ?1 AND account_id = coalesce(?2, account_id)')
    .all(engine, accountId ?? null)
  return rows.map((row) => ({
    kind: row.kind as TotalKind,
    engine,
    accountId: row.account_id as string,
    assetCode: row.asset_code as string,
    scale: row.scale as number,
    amount: BigInt(row.amount as string),
  }))
}
