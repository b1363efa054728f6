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
    const database = new DatabaseSync(this.#path)
    database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`,
    )
    migrate(database, this.#path)
    this.#database = database
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
