import type { DatabaseSync } from 'node:sqlite'
import { LedgerFaultError } from '../ledger-store.ts'

/**
 * Numbered migrations; the file's `user_version` is the number of the last one applied. Never change one that was
 * released: add another.
 *
 * - `batches` is the journal: what a flush makes durable, one row per batch. `id` is epoch * 2^42 + sequence of the
 *   first packet: the same batch cannot be in it twice. `records` holds `count` packets in columns, little endian: in amount u64, out amount u64, payer u32, payee u32 (`accounts.id`), kind u8
 *   (`RecordKind`). Packets up to `meta.posted_to` are in `transfers` and `accounts`; older rows are detail only.
 * - `transfers` is the double entry: sums of packets per debit account, credit account and kind, and everything else
 *   one by one. `amount` is an integer up to 2^53 - 1 and decimal text beyond. kind: `TransferKind`; state:
 *   `TransferState`. `debit_previous` and `credit_previous` are the transfer before of either account (0: none), and
 *   `accounts.last_transfer` the last: so an account's history is read newest first without an index, whose upkeep
 *   would cost several times what the transfers do.
 * - `accounts` carries the sums of its transfers, as decimal text.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('epoch', 0), ('posted_to', 0);

  CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    asset_code TEXT NOT NULL,
    asset_scale INTEGER NOT NULL,
    debits_posted TEXT NOT NULL DEFAULT '0',
    credits_posted TEXT NOT NULL DEFAULT '0',
    debits_pending TEXT NOT NULL DEFAULT '0',
    credits_pending TEXT NOT NULL DEFAULT '0',
    credit_limit TEXT NOT NULL DEFAULT '0',
    last_transfer INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, name)
  ) STRICT;

  CREATE TABLE transfers (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    debit INTEGER NOT NULL,
    credit INTEGER NOT NULL,
    amount ANY NOT NULL,
    packet_count INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    debit_previous INTEGER NOT NULL,
    credit_previous INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX transfers_settlement_out ON transfers (id) WHERE kind = 2;

  CREATE TABLE settlements (
    id TEXT PRIMARY KEY,
    direction TEXT NOT NULL,
    account INTEGER NOT NULL,
    engine TEXT NOT NULL,
    amount TEXT NOT NULL,
    state TEXT NOT NULL,
    transfer INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    closed_at_ms INTEGER NOT NULL,
    records BLOB NOT NULL
  ) STRICT;
  `,
]

/** Brings the file to the newest schema, each step in its own transaction. */
export function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version > MIGRATIONS.length) {
    throw new LedgerFaultError(
      `the ledger file has schema ${version}, this program knows ${MIGRATIONS.length}: use the newer program`,
    )
  }
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue
    db.exec(`BEGIN IMMEDIATE; ${sql} PRAGMA user_version = ${index + 1}; COMMIT;`)
  }
}
