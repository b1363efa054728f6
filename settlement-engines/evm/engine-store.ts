import type { DatabaseSync } from 'node:sqlite'
import { openDatabase } from '../../src/lib/open-database.ts'
import { transact } from '../../src/lib/transact.ts'

/** Applied in order, each in its own transaction; `user_version` counts those done. Never change one that shipped. */
const MIGRATIONS: readonly string[] = [
  // Amounts are decimal text: wei do not fit SQLite's integers.
  `CREATE TABLE nonces (
     chain_id INTEGER NOT NULL,
     address TEXT NOT NULL,
     first INTEGER NOT NULL,
     next INTEGER NOT NULL,
     halted TEXT,
     PRIMARY KEY (chain_id, address)
   ) STRICT;
   CREATE TABLE intents (
     purpose TEXT PRIMARY KEY,
     chain_id INTEGER NOT NULL,
     address TEXT NOT NULL,
     recipient TEXT NOT NULL,
     value TEXT NOT NULL,
     data TEXT NOT NULL,
     gas_limit TEXT,
     fee_budget TEXT NOT NULL,
     urgency TEXT NOT NULL,
     deadline_ms INTEGER,
     created_ms INTEGER NOT NULL,
     cancelled INTEGER NOT NULL DEFAULT 0,
     state TEXT NOT NULL CHECK (state IN ('queued', 'pending', 'done')),
     outcome TEXT,
     outcome_hash TEXT
   ) STRICT;
   CREATE INDEX intents_unfinished ON intents (chain_id, address, created_ms) WHERE state <> 'done';
   CREATE TABLE transactions (
     chain_id INTEGER NOT NULL,
     address TEXT NOT NULL,
     nonce INTEGER NOT NULL,
     purpose TEXT NOT NULL REFERENCES intents (purpose),
     gas_limit TEXT NOT NULL,
     signed_block INTEGER NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('open', 'final', 'dead')),
     final_hash TEXT,
     final_block INTEGER,
     PRIMARY KEY (chain_id, address, nonce)
   ) STRICT;
   CREATE UNIQUE INDEX transactions_one_per_purpose ON transactions (purpose) WHERE state <> 'dead';
   CREATE INDEX transactions_open ON transactions (chain_id, address, nonce) WHERE state = 'open';
   CREATE TABLE attempts (
     hash TEXT PRIMARY KEY,
     chain_id INTEGER NOT NULL,
     address TEXT NOT NULL,
     nonce INTEGER NOT NULL,
     kind TEXT NOT NULL CHECK (kind IN ('call', 'cancel')),
     raw TEXT NOT NULL,
     max_fee TEXT NOT NULL,
     priority_fee TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     sent_ms INTEGER,
     FOREIGN KEY (chain_id, address, nonce) REFERENCES transactions (chain_id, address, nonce)
   ) STRICT;
   CREATE INDEX attempts_by_nonce ON attempts (chain_id, address, nonce);
   CREATE TABLE cursors (
     name TEXT PRIMARY KEY,
     block INTEGER NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;
   CREATE TABLE seen_logs (
     cursor TEXT NOT NULL,
     block INTEGER NOT NULL,
     block_hash TEXT NOT NULL,
     transaction_hash TEXT NOT NULL,
     log_index INTEGER NOT NULL,
     PRIMARY KEY (cursor, block, block_hash, transaction_hash, log_index)
   ) STRICT, WITHOUT ROWID;`,
]

/**
 * The engine's own books in one SQLite file: signed transactions, cursors, and what the engine adds. One process at a
 * time holds the file; writes are durable when the call returns.
 */
export class EngineStore {
  readonly #path: string
  #database: DatabaseSync | undefined

  /** @param path file, made when it is missing; `:memory:` for tests */
  constructor(path: string) {
    this.#path = path
  }

  /** @throws Error when the file cannot be opened, another process holds it, or a newer version wrote it */
  start(): void {
    try {
      this.#database = openDatabase(this.#path, MIGRATIONS)
      this.#database.exec('PRAGMA foreign_keys = ON')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(
        `the engine's store ${this.#path} cannot be opened: ${reason}. Check that the disk has room, that this user may write there, and that no other process uses it: its key must be used by one process only`,
        { cause: error },
      )
    }
  }

  stop(): void {
    this.#database?.close()
    this.#database = undefined
  }

  get database(): DatabaseSync {
    if (this.#database === undefined) throw new Error("the engine's store is not open")
    return this.#database
  }

  /** The latest time that is in the books, by the clock that wrote them; milliseconds since the epoch. */
  latestMs(): number {
    const row = this.database
      .prepare(
        `SELECT max(at) AS latest FROM (SELECT max(created_ms) AS at FROM intents
           UNION ALL SELECT max(created_ms) FROM attempts UNION ALL SELECT max(sent_ms) FROM attempts)`,
      )
      .get() as { latest: number | null }
    return row.latest ?? 0
  }

  /**
   * Runs `work` in one transaction: all of it is durable when this returns, none of it when it throws. Inside another
   * transaction it is part of that one. `work` must not be asynchronous.
   */
  transaction<T>(work: () => T): T {
    const { database } = this
    return database.isTransaction ? work() : transact(database, work)
  }
}
