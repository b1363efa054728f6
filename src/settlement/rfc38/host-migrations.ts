/** Tables of `HostJournal`; a migration that was released is never changed. */
export const HOST_MIGRATIONS: readonly string[] = [
  // pending: asked for and in no order. carry: not credited by the connector, for the next credit.
  `CREATE TABLE accounts (
     id TEXT PRIMARY KEY,
     state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
     pending_amount TEXT NOT NULL DEFAULT '0',
     pending_scale INTEGER NOT NULL DEFAULT 0,
     carry_amount TEXT NOT NULL DEFAULT '0',
     carry_scale INTEGER NOT NULL DEFAULT 0,
     held_off INTEGER NOT NULL DEFAULT 0,
     failures INTEGER NOT NULL DEFAULT 0,
     next_try_ms INTEGER NOT NULL DEFAULT 0,
     problem TEXT
   ) STRICT;
   CREATE INDEX accounts_held_off ON accounts (next_try_ms) WHERE held_off = 1;
   CREATE TABLE requests (
     key TEXT PRIMARY KEY,
     account_id TEXT NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE orders (
     id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('open', 'taken', 'settled', 'refused')),
     failures INTEGER NOT NULL DEFAULT 0,
     next_try_ms INTEGER NOT NULL DEFAULT 0,
     problem TEXT
   ) STRICT;
   CREATE INDEX orders_due ON orders (next_try_ms) WHERE state = 'open';
   CREATE INDEX orders_by_account ON orders (account_id, state);
   CREATE TABLE credits (
     id TEXT PRIMARY KEY,
     account_id TEXT,
     asset_code TEXT NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL,
     sender TEXT,
     sent_amount TEXT,
     sent_scale INTEGER,
     state TEXT NOT NULL CHECK (state IN ('suspense', 'open', 'credited')),
     failures INTEGER NOT NULL DEFAULT 0,
     next_try_ms INTEGER NOT NULL DEFAULT 0,
     problem TEXT
   ) STRICT;
   CREATE INDEX credits_due ON credits (next_try_ms) WHERE state = 'open';`,
]
