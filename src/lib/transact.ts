import type { DatabaseSync } from 'node:sqlite'

/** Runs `work` as one transaction, durable when this returns. When it throws, nothing was changed. */
export function transact<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // A failed COMMIT (disk full) may have ended it already.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}
