import { DatabaseSync } from 'node:sqlite'
import { transact } from '../transact.ts'

/** Milliseconds an opening waits for another process that holds the file. */
const BUSY_TIMEOUT_MS = 2_000

/**
 * Opens a journal, made when it is missing: durable when a write returns, for one process alone.
 * @param migrations applied in order, each in its own transaction; `user_version` counts those done
 * @throws Error when it cannot be opened, is held by another process, or was written by a newer version
 */
export function openJournal(path: string, migrations: readonly string[]): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    database.exec(
      `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
       PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`,
    )
    migrate(database, migrations)
    return database
  } catch (error) {
    database?.close()
    throw new Error(
      `the journal ${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}. Check that the disk has room, that this user may write there, and that no other process uses it`,
      { cause: error },
    )
  }
}

function migrate(database: DatabaseSync, migrations: readonly string[]): void {
  // Takes the lock even when there is nothing to do: a second process must not get past here.
  transact(database, () => {
    const { user_version: done } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    if (done > migrations.length) throw new Error('it was written by a newer version of causeway')
    for (const migration of migrations.slice(done)) database.exec(migration)
    database.exec(`PRAGMA user_version = ${migrations.length}`)
  })
}
