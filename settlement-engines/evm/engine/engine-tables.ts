import type { EngineStore } from '../engine-store.ts'

/** Applied in order; never change one that shipped. Amounts are decimal text, in smallest units of the token. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE engine_accounts (
     id TEXT PRIMARY KEY,
     asset_code TEXT NOT NULL,
     token TEXT NOT NULL,
     scale INTEGER NOT NULL,
     mode TEXT NOT NULL,
     own_address TEXT NOT NULL,
     peer_address TEXT NOT NULL
   ) STRICT;
   CREATE TABLE engine_peers (
     account_id TEXT PRIMARY KEY,
     address TEXT NOT NULL UNIQUE,
     signer TEXT,
     min_delay INTEGER
   ) STRICT;
   CREATE TABLE engine_orders (
     seq INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     account_id TEXT NOT NULL,
     amount TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('queued', 'signed', 'sent', 'settled', 'refused')),
     channel_id TEXT,
     upto TEXT,
     purpose TEXT UNIQUE,
     reason TEXT,
     told INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE INDEX engine_orders_open ON engine_orders (account_id, seq) WHERE state NOT IN ('settled', 'refused');
   CREATE INDEX engine_orders_untold ON engine_orders (seq) WHERE told = 0 AND state IN ('settled', 'refused');
   CREATE TABLE engine_channels (
     id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL,
     direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
     state TEXT NOT NULL CHECK (state IN ('opening', 'open', 'closing', 'closed')),
     token TEXT NOT NULL,
     scale INTEGER NOT NULL,
     terms TEXT NOT NULL,
     deposited TEXT NOT NULL,
     claimed TEXT NOT NULL,
     cumulative TEXT NOT NULL,
     acked TEXT NOT NULL,
     signature TEXT,
     close_at INTEGER,
     unclaimed_since_ms INTEGER,
     claim_purpose TEXT
   ) STRICT;
   CREATE INDEX engine_channels_live ON engine_channels (account_id) WHERE state <> 'closed';
   CREATE TABLE engine_deposits (
     seq INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     channel_id TEXT NOT NULL,
     kind TEXT NOT NULL CHECK (kind IN ('open', 'fund')),
     token TEXT NOT NULL,
     amount TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('waiting', 'approving', 'sent', 'done', 'failed')),
     updated_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE engine_credits (
     seq INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     account_id TEXT,
     asset_code TEXT NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL,
     sender TEXT,
     told INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE INDEX engine_credits_untold ON engine_credits (seq) WHERE told = 0;
   CREATE TABLE engine_first_blocks (
     name TEXT PRIMARY KEY,
     block INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE engine_totals (
     kind TEXT NOT NULL,
     account_id TEXT NOT NULL,
     amount TEXT NOT NULL,
     PRIMARY KEY (kind, account_id)
   ) STRICT;`,
  `CREATE TABLE engine_authorizations (
     purpose TEXT PRIMARY KEY,
     nonce TEXT NOT NULL,
     valid_before INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE engine_notices (
     seq INTEGER PRIMARY KEY,
     hash TEXT NOT NULL UNIQUE,
     account_id TEXT NOT NULL,
     heard INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE INDEX engine_notices_unheard ON engine_notices (seq) WHERE heard = 0;`,
  // held: figure of the voucher whose signature is kept. covered: part of an order that older payments pay.
  `ALTER TABLE engine_channels ADD COLUMN held TEXT NOT NULL DEFAULT '0';
   UPDATE engine_channels SET held = cumulative WHERE signature IS NOT NULL;
   ALTER TABLE engine_orders ADD COLUMN covered TEXT NOT NULL DEFAULT '0';`,
  // Known payers do not queue behind strangers, however many transfers those make.
  `DROP INDEX engine_credits_untold;
   CREATE INDEX engine_credits_untold ON engine_credits (account_id IS NULL, seq) WHERE told = 0;`,
  // Rows are kept for good: what each round asks for must not depend on how many there ever were.
  `CREATE INDEX engine_orders_signed ON engine_orders (channel_id, seq) WHERE state = 'signed';
   CREATE INDEX engine_channels_by_account ON engine_channels (account_id);
   CREATE INDEX engine_deposits_by_channel ON engine_deposits (channel_id, seq);
   CREATE INDEX engine_deposits_unfinished ON engine_deposits (seq) WHERE state NOT IN ('done', 'failed');
   CREATE TABLE engine_place (
     chain_id INTEGER NOT NULL,
     contract TEXT NOT NULL,
     address TEXT NOT NULL
   ) STRICT;`,
]

/** Makes or updates the engine's own tables in its store. @throws Error when a newer version wrote them */
export function prepareEngineTables(store: EngineStore): void {
  const { database } = store
  database.exec('CREATE TABLE IF NOT EXISTS engine_schema (version INTEGER NOT NULL) STRICT')
  const row = database.prepare('SELECT version FROM engine_schema').get() as { version: number } | undefined
  const done = row?.version ?? 0
  if (done > MIGRATIONS.length) {
    throw new Error(
      "the engine's store was written by a newer version of causeway: use that version, or another directory",
    )
  }
  store.transaction(() => {
    for (const migration of MIGRATIONS.slice(done)) database.exec(migration)
    database.exec('DELETE FROM engine_schema')
    database.prepare('INSERT INTO engine_schema VALUES (?)').run(MIGRATIONS.length)
  })
}
