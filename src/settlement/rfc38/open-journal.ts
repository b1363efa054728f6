import type { DatabaseSync } from 'node:sqlite'
import { openDatabase } from '../../lib/open-database.ts'

/**
 * Opens a journal as {@link openDatabase} does.
 * @throws Error when it cannot be opened, is held by another process, or was written by a newer version
 */
export function openJournal(path: string, migrations: readonly string[]): DatabaseSync {
  try {
    return openDatabase(path, migrations)
  } catch (error) {
    throw new Error(
      `the journal ${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}. Check that the disk has room, that this user may write there, and that no other process uses it`,
      { cause: error },
    )
  }
}
