import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Something that is to be done until it succeeds. */
export interface Delivery {
  readonly id: string
  /** How often it was tried in vain. */
  readonly failures: number
}

/**
 * Deliveries still to be made: rows of a table with the columns `id`, `failures`, `next_try_ms` and `problem`. Only
 * those that are under way are in memory.
 */
export class DeliveryTable {
  readonly #due: StatementSync
  readonly #next: StatementSync
  readonly #postpone: StatementSync
  readonly #hurry: StatementSync

  /** @param pending SQL condition for the rows that are to be delivered; fixed text, never input */
  constructor(database: DatabaseSync, table: string, pending: string) {
    // A time further away than the longest pause was written under another clock: it is due.
    this.#due = database.prepare(
      `SELECT id, failures FROM ${table} WHERE ${pending} AND (next_try_ms <= ?1 OR next_try_ms > ?1 + ?2)
       ORDER BY next_try_ms, rowid LIMIT ?3`,
    )
    this.#next = database.prepare(
      `SELECT min(next_try_ms) AS next FROM ${table} WHERE ${pending} AND next_try_ms > ?`,
    )
    this.#postpone = database.prepare(
      `UPDATE ${table} SET failures = failures + 1, next_try_ms = ?, problem = ? WHERE id = ? AND ${pending}`,
    )
    this.#hurry = database.prepare(`UPDATE ${table} SET next_try_ms = 0 WHERE ${pending} AND next_try_ms > 0`)
  }

  /** Up to `limit` that are due, the longest waiting first. */
  due(nowMs: number, pauseMaxMs: number, limit: number): Delivery[] {
    return this.#due
      .all(nowMs, pauseMaxMs, limit)
      .map((row) => ({ id: row.id as string, failures: row.failures as number }))
  }

  /** When the next one after `nowMs` is due. */
  nextAfter(nowMs: number): number | undefined {
    return (this.#next.get(nowMs)?.next as number | null | undefined) ?? undefined
  }

  postpone(id: string, untilMs: number, problem: string): void {
    this.#postpone.run(untilMs, problem, id)
  }

  /** Everything is due now: after a start nobody knows how things stand on the other side. */
  hurry(): void {
    this.#hurry.run()
  }
}
