import type { DatabaseSync } from 'node:sqlite'
import type { IncomingCredit, Quantity, SettlementOrder } from '../engine.ts'
import { addQuantities, convertQuantity } from '../quantity.ts'
import { transact } from '../transact.ts'
import { DeliveryTable } from './delivery-table.ts'
import { openJournal } from './open-journal.ts'
import { deriveKey } from './rfc38-key.ts'
import { compareQuantities, fitsBody, subtractQuantities } from './rfc38-quantity.ts'

const MIGRATIONS: readonly string[] = [
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

type Row = Record<string, unknown>

export interface SettlementRequest {
  /** The Idempotency-Key of the connector. */
  readonly key: string
  readonly accountId: string
  readonly quantity: Quantity
}

/** A credit as it is sent: `quantity` never changes once it was first sent. */
export interface OutgoingCredit {
  readonly id: string
  readonly accountId: string
  readonly key: string
  readonly quantity: Quantity
}

export interface SuspendedCredit {
  readonly id: string
  readonly quantity: Quantity
  readonly sender: string | undefined
}

/** What an engine served to a foreign connector must not forget. Every change is durable on return. */
export class HostJournal {
  readonly #path: string
  #database: DatabaseSync | undefined
  #orders: DeliveryTable | undefined
  #credits: DeliveryTable | undefined
  #accounts: DeliveryTable | undefined

  /** @param path file, made when it is missing */
  constructor(path: string) {
    this.#path = path
  }

  /** @throws Error when the file cannot be opened or another process holds it */
  start(): void {
    const database = openJournal(this.#path, MIGRATIONS)
    this.#database = database
    this.#orders = new DeliveryTable(database, 'orders', "state = 'open'")
    this.#credits = new DeliveryTable(database, 'credits', "state = 'open'")
    this.#accounts = new DeliveryTable(database, 'accounts', 'held_off = 1')
  }

  stop(): void {
    this.#database?.close()
    this.#database = undefined
  }

  /** Orders that the engine is still to be given. */
  get orderDeliveries(): DeliveryTable {
    return opened(this.#orders)
  }

  /** Credits that the connector is still to be told of. */
  get creditDeliveries(): DeliveryTable {
    return opened(this.#credits)
  }

  /** Accounts whose engine refused an order: what was refused is tried again. */
  get heldOffAccounts(): DeliveryTable {
    return opened(this.#accounts)
  }

  openAccount(id: string): void {
    this.#run(
      "INSERT INTO accounts (id, state) VALUES (?, 'open') ON CONFLICT (id) DO UPDATE SET state = 'open'",
      id,
    )
  }

  closeAccount(id: string): void {
    this.#run("UPDATE accounts SET state = 'closed' WHERE id = ?", id)
  }

  /** Undefined for an account that never was. */
  accountState(id: string): 'open' | 'closed' | undefined {
    return this.#get('SELECT state FROM accounts WHERE id = ?', id)?.state as 'open' | 'closed' | undefined
  }

  openAccounts(): string[] {
    const rows = this.#opened.prepare("SELECT id FROM accounts WHERE state = 'open' ORDER BY id").all()
    return rows.map((row) => row.id as string)
  }

  /** What was asked for and is in no order yet: too fine for the network, or refused by it. */
  pending(accountId: string): Quantity {
    const row = this.#get('SELECT pending_amount, pending_scale FROM accounts WHERE id = ?', accountId)
    return quantityOf(row?.pending_amount ?? '0', row?.pending_scale ?? 0)
  }

  /** What was told under a key before. */
  request(key: string): SettlementRequest | undefined {
    const row = this.#get('SELECT * FROM requests WHERE key = ?', key)
    if (row === undefined) return undefined
    return { key, accountId: row.account_id as string, quantity: quantityOf(row.amount, row.scale) }
  }

  /**
   * Takes a request over: its amount, with what is pending, becomes an order at the engine's scale, and the rest stays
   * pending. The key must be new.
   */
  takeRequest(request: SettlementRequest, engineScale: number): void {
    const { key, accountId, quantity } = request
    transact(this.#opened, () => {
      this.#run(
        'INSERT INTO requests (key, account_id, amount, scale) VALUES (?, ?, ?, ?)',
        key,
        accountId,
        quantity.amount.toString(),
        quantity.scale,
      )
      this.#setPending(accountId, addQuantities(this.pending(accountId), quantity))
      // Made of the key: should this journal be lost, the engine still knows the order when it is asked for again.
      if (!this.#isHeldOff(accountId))
        this.#makeOrder(accountId, engineScale, deriveKey('order', accountId, key))
    })
  }

  /** Puts what is pending into an order, after the engine had refused one. */
  retryPending(accountId: string, engineScale: number, orderId: string): void {
    transact(this.#opened, () => {
      this.#makeOrder(accountId, engineScale, orderId)
      this.#run('UPDATE accounts SET held_off = 0 WHERE id = ?', accountId)
    })
  }

  order(id: string): SettlementOrder | undefined {
    const row = this.#get('SELECT * FROM orders WHERE id = ?', id)
    if (row === undefined) return undefined
    return { id, accountId: row.account_id as string, quantity: quantityOf(row.amount, row.scale) }
  }

  /** The engine has stored the order. It may have told its outcome before. */
  orderTaken(id: string): void {
    this.#run("UPDATE orders SET state = 'taken', problem = NULL WHERE id = ? AND state = 'open'", id)
  }

  orderSettled(id: string): void {
    transact(this.#opened, () => {
      const settled = this.#run(
        "UPDATE orders SET state = 'settled', problem = NULL WHERE id = ? AND state IN ('open', 'taken')",
        id,
      )
      if (settled)
        this.#run(
          'UPDATE accounts SET failures = 0 WHERE id = (SELECT account_id FROM orders WHERE id = ?)',
          id,
        )
    })
  }

  /** The amount of the order is pending again (RFC 38, "Retrying failed settlements"). False when it was before. */
  orderRefused(id: string, reason: string, retryAtMs: (failures: number) => number): boolean {
    return transact(this.#opened, () => {
      const order = this.order(id)
      const refused = this.#run(
        "UPDATE orders SET state = 'refused', problem = ? WHERE id = ? AND state IN ('open', 'taken')",
        reason,
        id,
      )
      if (order === undefined || !refused) return false
      const { accountId } = order
      this.#setPending(accountId, addQuantities(this.pending(accountId), order.quantity))
      const failures =
        (this.#get('SELECT failures FROM accounts WHERE id = ?', accountId)!.failures as number) + 1
      this.#run(
        'UPDATE accounts SET held_off = 1, failures = ?, next_try_ms = ?, problem = ? WHERE id = ?',
        failures,
        retryAtMs(failures),
        reason,
        accountId,
      )
      return true
    })
  }

  /** Takes a credit over. `same`: it is known with these fields; `other`: with others, and nothing was changed. */
  takeCredit(credit: IncomingCredit): 'new' | 'same' | 'other' {
    const { id, accountId, assetCode, quantity, sender } = credit
    const isNew = this.#run(
      `INSERT INTO credits (id, account_id, asset_code, amount, scale, sender, state) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
      id,
      accountId ?? null,
      assetCode,
      quantity.amount.toString(),
      quantity.scale,
      sender ?? null,
      accountId === undefined ? 'suspense' : 'open',
    )
    if (isNew) return 'new'
    const row = this.#get('SELECT * FROM credits WHERE id = ?', id)!
    const same =
      // One that was attributed since keeps its account.
      (accountId === undefined || row.account_id === accountId) &&
      row.asset_code === assetCode &&
      compareQuantities(quantityOf(row.amount, row.scale), quantity) === 0
    return same ? 'same' : 'other'
  }

  /** Credits whose payer nobody knows. RFC 38 has no place for them: they wait for {@link attribute}. */
  suspended(limit: number): SuspendedCredit[] {
    const rows = this.#opened
      .prepare("SELECT * FROM credits WHERE state = 'suspense' ORDER BY rowid LIMIT ?")
      .all(limit)
    return rows.map((row) => ({
      id: row.id as string,
      quantity: quantityOf(row.amount, row.scale),
      sender: (row.sender as string | null) ?? undefined,
    }))
  }

  /** Gives a suspended credit to an account. False when there is none of that id. */
  attribute(creditId: string, accountId: string): boolean {
    return this.#run(
      "UPDATE credits SET state = 'open', account_id = ?, next_try_ms = 0 WHERE id = ? AND state = 'suspense'",
      accountId,
      creditId,
    )
  }

  /**
   * The credit, as it is to be sent. Before the first time what the connector left over is added, and that is stored:
   * one key stands for one body for ever.
   */
  prepareCredit(id: string): OutgoingCredit {
    return transact(this.#opened, () => {
      const row = this.#get('SELECT * FROM credits WHERE id = ?', id)!
      const accountId = row.account_id as string
      const key = deriveKey('credit', id)
      if (row.sent_amount !== null)
        return { id, accountId, key, quantity: quantityOf(row.sent_amount, row.sent_scale) }
      const own = quantityOf(row.amount, row.scale)
      const carry = this.#carry(accountId)
      const sum = addQuantities(own, carry)
      const withCarry = carry.amount > 0n && fitsBody(sum)
      const quantity = withCarry ? sum : own
      if (withCarry) this.#setCarry(accountId, { amount: 0n, scale: 0 })
      this.#run(
        'UPDATE credits SET sent_amount = ?, sent_scale = ? WHERE id = ?',
        quantity.amount.toString(),
        quantity.scale,
        id,
      )
      return { id, accountId, key, quantity }
    })
  }

  /** The connector has credited so much of it; the rest goes with the next credit of the account. */
  credited(credit: OutgoingCredit, credited: Quantity): void {
    transact(this.#opened, () => {
      const done = this.#run(
        "UPDATE credits SET state = 'credited', problem = NULL WHERE id = ? AND state = 'open'",
        credit.id,
      )
      if (!done || compareQuantities(credited, credit.quantity) >= 0) return
      const rest = subtractQuantities(credit.quantity, credited)
      this.#setCarry(credit.accountId, addQuantities(this.#carry(credit.accountId), rest))
    })
  }

  /** What the connector has not credited, for the next credit of the account. */
  carried(accountId: string): Quantity {
    return this.#carry(accountId)
  }

  #isHeldOff(accountId: string): boolean {
    return this.#get('SELECT held_off FROM accounts WHERE id = ?', accountId)?.held_off === 1
  }

  #makeOrder(accountId: string, engineScale: number, orderId: string): void {
    const { amount, remainder } = convertQuantity(this.pending(accountId), engineScale)
    if (amount === 0n) return
    this.#run(
      "INSERT INTO orders (id, account_id, amount, scale, state) VALUES (?, ?, ?, ?, 'open')",
      orderId,
      accountId,
      amount.toString(),
      engineScale,
    )
    this.#setPending(accountId, remainder)
  }

  #setPending(accountId: string, pending: Quantity): void {
    this.#run(
      'UPDATE accounts SET pending_amount = ?, pending_scale = ? WHERE id = ?',
      pending.amount.toString(),
      pending.scale,
      accountId,
    )
  }

  #carry(accountId: string): Quantity {
    const row = this.#get('SELECT carry_amount, carry_scale FROM accounts WHERE id = ?', accountId)
    return quantityOf(row?.carry_amount ?? '0', row?.carry_scale ?? 0)
  }

  #setCarry(accountId: string, carry: Quantity): void {
    // An engine may know an account that the connector has not set up here, or not yet.
    this.#run(
      `INSERT INTO accounts (id, state, carry_amount, carry_scale) VALUES (?, 'closed', ?, ?)
       ON CONFLICT (id) DO UPDATE SET carry_amount = excluded.carry_amount, carry_scale = excluded.carry_scale`,
      accountId,
      carry.amount.toString(),
      carry.scale,
    )
  }

  get #opened(): DatabaseSync {
    return opened(this.#database)
  }

  /** True when a row was changed. */
  #run(sql: string, ...values: (string | number | null)[]): boolean {
    return this.#opened.prepare(sql).run(...values).changes !== 0
  }

  #get(sql: string, ...values: (string | number)[]): Row | undefined {
    return this.#opened.prepare(sql).get(...values)
  }
}

function opened<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the journal is not open')
  return part
}

function quantityOf(amount: unknown, scale: unknown): Quantity {
  return { amount: BigInt(amount as string), scale: scale as number }
}
