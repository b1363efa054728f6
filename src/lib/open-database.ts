import { DatabaseSync } from 'node:sqlite'
import { transact } from './transact.ts'

/** Milliseconds an opening waits for another process that holds the file: one that is just ending. */
const BUSY_TIMEOUT_MS = 2_000

/**
 * Opens a SQLite file, made when it is missing: writes are durable when they return, and no second process gets the file.
 * @param migrations applied in order, all or none; `user_version` counts those done. Never change one that shipped
 * @throws Error when it cannot be opened, is held by another process, or was written by a newer version
 */
export function openDatabase(path: string, migrations: readonly string[]): DatabaseSync {
  const database = new DatabaseSync(path)
  try {
    // Exclusive: the WAL needs no shared memory file.
    database.exec(
      `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
       PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`,
    )
    migrate(database, path, migrations)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function migrate(database: DatabaseSync, path: string, migrations: readonly string[]): void {
  // Takes the lock even when there is nothing to do: a second process must not get past here.
  transact(database, () => {
    const { user_version: done } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    if (done > migrations.length) {
      throw new Error(
        `${path} was written by a newer version of causeway: use that version, or another data directory`,
      )
    }
    // Writes nothing when nothing is new: a file that is up to date opens on a full disk.
    if (done === migrations.length) return
    for (const migration of migrations.slice(done)) database.exec(migration)
    database.exec(`PRAGMA user_version = ${migrations.length}`)
  })
}
