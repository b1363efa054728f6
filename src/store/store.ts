import { DatabaseSync } from 'node:sqlite'

/** Applied in order, each in its own transaction; `user_version` counts those done. Never change one that shipped. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE peers (
     id TEXT PRIMARY KEY,
     settings TEXT NOT NULL
   ) STRICT;
   CREATE TABLE routes (
     prefix TEXT PRIMARY KEY,
     peer_id TEXT NOT NULL
   ) STRICT;`,
]

/** Milliseconds a write waits for another process that holds the file. */
const BUSY_TIMEOUT_MS = 2_000

/**
 * Application data in one SQLite file: what operators change at run time. Not the ledger, and nothing per packet.
 * Writes are durable when the call returns.
 */
export class Store {
  readonly #path: string
  #database: DatabaseSync | undefined

  /** @param path file, made when it is missing; `:memory:` for tests */
  constructor(path: string) {
    this.#path = path
  }

  /** @throws Error when the file cannot be opened, or was written by a newer version */
  start(): void {
    try {
      const database = new DatabaseSync(this.#path)
      // Exclusive: no second process changes the file, and the WAL needs no shared memory file.
      database.exec(
        `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
         PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`,
      )
      migrate(database, this.#path)
      this.#database = database
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(
        `the store ${this.#path} cannot be opened: ${reason}. Check that the disk has room, that this user may write there, and that no other node uses the directory`,
        { cause: error },
      )
    }
  }

  stop(): void {
    this.#database?.close()
    this.#database = undefined
  }

  get database(): DatabaseSync {
    if (this.#database === undefined) throw new Error('the store is not open')
    return this.#database
  }
}

function migrate(database: DatabaseSync, path: string): void {
  const { user_version: done } = database.prepare('PRAGMA user_version').get() as { user_version: number }
  if (done > MIGRATIONS.length) {
    database.close()
    throw new Error(
      `${path} was written by a newer version of causeway: use that version, or another data directory`,
    )
  }
  for (const [index, migration] of MIGRATIONS.slice(done).entries()) {
    database.exec(`BEGIN IMMEDIATE; ${migration} PRAGMA user_version = ${done + index + 1}; COMMIT`)
  }
}
