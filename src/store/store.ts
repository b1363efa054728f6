import type { DatabaseSync } from 'node:sqlite'
import { openDatabase } from '../lib/open-database.ts'

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
  // The settlement journal: src/settlement/settlement-journal.ts. Amounts are decimal text; rows are never deleted.
  `CREATE TABLE settlement_sequence (
     value INTEGER NOT NULL
   ) STRICT;
   INSERT INTO settlement_sequence VALUES (0);
   CREATE TABLE settlements_out (
     id TEXT PRIMARY KEY,
     sequence INTEGER NOT NULL UNIQUE,
     account_id TEXT NOT NULL,
     engine TEXT NOT NULL,
     asset_code TEXT NOT NULL,
     asset_scale INTEGER NOT NULL,
     amount TEXT NOT NULL,
     engine_amount TEXT NOT NULL,
     engine_scale INTEGER NOT NULL,
     cause TEXT NOT NULL,
     state TEXT NOT NULL,
     reason TEXT,
     created_ms INTEGER NOT NULL,
     updated_ms INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX settlements_out_account ON settlements_out (account_id, sequence);
   CREATE INDEX settlements_out_open ON settlements_out (account_id, sequence)
     WHERE state NOT IN ('settled', 'refused');
   CREATE TABLE settlement_credits (
     engine TEXT NOT NULL,
     id TEXT NOT NULL,
     sequence INTEGER NOT NULL UNIQUE,
     told_account_id TEXT,
     account_id TEXT,
     asset_code TEXT NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL,
     sender TEXT,
     booked TEXT,
     booked_scale INTEGER,
     state TEXT NOT NULL,
     reason TEXT,
     created_ms INTEGER NOT NULL,
     updated_ms INTEGER NOT NULL,
     PRIMARY KEY (engine, id)
   ) STRICT;
   CREATE INDEX settlement_credits_account ON settlement_credits (account_id, sequence);
   CREATE INDEX settlement_credits_open ON settlement_credits (sequence)
     WHERE state NOT IN ('booked', 'suspended');
   CREATE TABLE settlement_remainders (
     account_id TEXT NOT NULL,
     engine TEXT NOT NULL,
     asset_code TEXT NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL,
     PRIMARY KEY (account_id, engine, asset_code)
   ) STRICT;
   CREATE TABLE settlement_totals (
     kind TEXT NOT NULL,
     engine TEXT NOT NULL,
     account_id TEXT NOT NULL,
     asset_code TEXT NOT NULL,
     scale INTEGER NOT NULL,
     amount TEXT NOT NULL,
     PRIMARY KEY (engine, account_id, kind, asset_code, scale)
   ) STRICT;
   CREATE TABLE settlement_pauses (
     account_id TEXT PRIMARY KEY,
     reason TEXT NOT NULL,
     since_ms INTEGER NOT NULL
   ) STRICT;`,
  `CREATE INDEX settlement_credits_suspended ON settlement_credits (engine, sequence) WHERE state = 'suspended';`,
  // Operators list settlements by state and by account, newest first, while packets flow.
  `CREATE INDEX settlements_out_state ON settlements_out (state, sequence);
   CREATE INDEX settlements_out_account_state ON settlements_out (account_id, state, sequence);
   CREATE INDEX settlement_credits_state ON settlement_credits (state, sequence);
   CREATE INDEX settlement_credits_account_state ON settlement_credits (account_id, state, sequence);`,
  // Differences between ledger and journal that operators have accepted: src/settlement/accepted-differences.ts.
  `CREATE TABLE settlement_accepted (
     acceptance INTEGER NOT NULL,
     engine TEXT NOT NULL,
     account_id TEXT NOT NULL,
     kind TEXT NOT NULL,
     asset_code TEXT NOT NULL,
     scale INTEGER NOT NULL,
     amount TEXT NOT NULL,
     reason TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     PRIMARY KEY (acceptance, account_id, kind)
   ) STRICT;
   CREATE INDEX settlement_accepted_engine ON settlement_accepted (engine, account_id);
   CREATE INDEX settlement_credits_attributed ON settlement_credits (engine, sequence)
     WHERE account_id IS NOT NULL AND reason IS NOT NULL;`,
  // Requests to the admin API that came with an Idempotency-Key: request-keys.ts.
  `CREATE TABLE request_keys (
     id TEXT PRIMARY KEY,
     body_hash TEXT NOT NULL,
     reply TEXT,
     created_ms INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX request_keys_created ON request_keys (created_ms);`,
]

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
      this.#database = openDatabase(this.#path, MIGRATIONS)
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
