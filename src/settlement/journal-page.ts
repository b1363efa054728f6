import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'

/** Which rows of a journal are asked for. */
export interface PageBounds {
  /** Undefined: of all accounts. */
  accountId: string | undefined
  /** Undefined: in any state. */
  state?: string | undefined
  /** Exclusive bound of `sequence`. */
  before: number | undefined
  limit: number
}

/**
 * Rows of a journal's table, newest first. Only the filters asked for stand in the SQL: with `? IS NULL OR …` no index
 * serves them, and a million rows are read for one, on the thread of the packets.
 */
export function journalPage(
  database: DatabaseSync,
  table: 'settlements_out' | 'settlement_credits',
  { accountId, state, before = Number.MAX_SAFE_INTEGER, limit }: PageBounds,
): Record<string, SQLOutputValue>[] {
  const filters = [
    { sql: 'account_id = ?', value: accountId },
    { sql: 'state = ?', value: state },
    { sql: 'sequence < ?', value: before },
  ].flatMap(({ sql, value }) => (value === undefined ? [] : [{ sql, value }]))
  const where = filters.map(({ sql }) => sql).join(' AND ')
  return database
    .prepare(`SELECT * FROM ${table} WHERE ${where} ORDER BY sequence DESC LIMIT ?`)
    .all(...filters.map(({ value }) => value), limit)
}
