import { transact } from '../../lib/transact.ts'
import type { EngineAccount, OrderVerdict, Quantity, SettlementOrder } from '../engine.ts'
import { addQuantities, compareQuantities } from '../quantity.ts'
import { DeliveryJournal, quantityOf } from './delivery-journal.ts'

const MIGRATIONS: readonly string[] = [
  // `todo`: what the foreign engine is still to be told about the account.
  `CREATE TABLE accounts (
     id TEXT PRIMARY KEY,
     state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
     asset_code TEXT NOT NULL,
     asset_scale INTEGER NOT NULL,
     settled_amount TEXT NOT NULL DEFAULT '0',
     settled_scale INTEGER NOT NULL DEFAULT 0,
     credited_amount TEXT NOT NULL DEFAULT '0',
     credited_scale INTEGER NOT NULL DEFAULT 0,
     todo TEXT CHECK (todo IN ('setup', 'delete')),
     failures INTEGER NOT NULL DEFAULT 0,
     next_try_ms INTEGER NOT NULL DEFAULT 0,
     problem TEXT
   ) STRICT;
   CREATE INDEX accounts_todo ON accounts (next_try_ms) WHERE todo IS NOT NULL;
   CREATE TABLE orders (
     id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL,
     key TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('open', 'taken', 'settled', 'abandoned', 'refused')),
     doubtful INTEGER NOT NULL DEFAULT 0,
     failures INTEGER NOT NULL DEFAULT 0,
     next_try_ms INTEGER NOT NULL DEFAULT 0,
     problem TEXT
   ) STRICT;
   CREATE INDEX orders_due ON orders (next_try_ms) WHERE state IN ('open', 'taken', 'abandoned');
   CREATE INDEX orders_unfinished ON orders (account_id) WHERE state IN ('open', 'taken', 'abandoned');
   CREATE TABLE credits (
     id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL,
     asset_code TEXT NOT NULL,
     payable INTEGER NOT NULL,
     amount TEXT NOT NULL,
     scale INTEGER NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('taken', 'booked')),
     failures INTEGER NOT NULL DEFAULT 0,
     next_try_ms INTEGER NOT NULL DEFAULT 0,
     problem TEXT
   ) STRICT;
   CREATE INDEX credits_due ON credits (next_try_ms) WHERE state = 'taken';`,
]

const NOTHING: Quantity = { amount: 0n, scale: 0 }
const UNFINISHED = "state IN ('open', 'taken', 'abandoned')"

/** `open`: not acknowledged by the engine. `taken`: acknowledged, or paid by an operator's word; the node does not know. `abandoned`: not paid, by an operator's word. */
export type OrderState = 'open' | 'taken' | 'settled' | 'abandoned' | 'refused'

export interface JournalOrder extends SettlementOrder {
  readonly key: string
  readonly state: OrderState
  /** It was sent at least once without a clear refusal coming back: the engine may have it. */
  readonly doubtful: boolean
  readonly failures: number
  readonly problem: string | undefined
}

export interface JournalAccount {
  readonly id: string
  readonly state: 'open' | 'closed'
  readonly assetCode: string
  readonly assetScale: number
  readonly todo: 'setup' | 'delete' | undefined
  readonly settled: Quantity
  readonly credited: Quantity
}

export interface JournalCredit {
  readonly id: string
  readonly accountId: string
  readonly assetCode: string
  /** False when the account was closed as it came: the money goes to nobody. The node is told the same every time. */
  readonly payable: boolean
  readonly quantity: Quantity
}

type Row = Record<string, unknown>

/**
 * What the client of a foreign engine must not forget, in a file of its own. To be delivered: orders to the engine, and
 * their ends and credits to the node; accounts to the engine.
 */
export class EngineJournal extends DeliveryJournal {
  constructor(path: string) {
    const pending = { orders: UNFINISHED, credits: "state = 'taken'", accounts: 'todo IS NOT NULL' }
    super({ path, migrations: MIGRATIONS, pending })
  }

  /** The account is served from now on, and the engine is to be told. */
  openAccount(account: EngineAccount): void {
    this.run(
      `INSERT INTO accounts (id, state, asset_code, asset_scale, todo) VALUES (?, 'open', ?, ?, 'setup')
       ON CONFLICT (id) DO UPDATE SET state = 'open', asset_code = excluded.asset_code,
         asset_scale = excluded.asset_scale, todo = 'setup', failures = 0, next_try_ms = 0`,
      account.id,
      account.assetCode,
      account.assetScale,
    )
  }

  /** @param todo whether the engine is to be told, once all orders are finished */
  closeAccount(id: string, todo: 'delete' | undefined): void {
    this.run(
      "UPDATE accounts SET state = 'closed', todo = ?, failures = 0, next_try_ms = 0 WHERE id = ? AND state = 'open'",
      todo ?? null,
      id,
    )
  }

  /** The engine was told; what has been asked for since stays. */
  accountTold(id: string, todo: 'setup' | 'delete'): void {
    this.run(
      'UPDATE accounts SET todo = NULL, failures = 0, problem = NULL WHERE id = ? AND todo = ?',
      id,
      todo,
    )
  }

  account(id: string): JournalAccount | undefined {
    const row = this.get('SELECT * FROM accounts WHERE id = ?', id)
    return row === undefined ? undefined : accountOf(row)
  }

  /** Stores a new order. False when its id is known already: then nothing was changed. */
  addOrder(order: SettlementOrder, key: string): boolean {
    const changes = this.run(
      `INSERT INTO orders (id, account_id, amount, scale, key, state) VALUES (?, ?, ?, ?, ?, 'open')
       ON CONFLICT (id) DO NOTHING`,
      order.id,
      order.accountId,
      order.quantity.amount.toString(),
      order.quantity.scale,
      key,
    )
    return changes === 1
  }

  order(id: string): JournalOrder | undefined {
    const row = this.get('SELECT * FROM orders WHERE id = ?', id)
    return row === undefined ? undefined : orderOf(row)
  }

  /** To be stored before an open order is sent. */
  orderSent(id: string): void {
    this.run("UPDATE orders SET doubtful = 1 WHERE id = ? AND state = 'open'", id)
  }

  /** The order was refused every time it was sent, this one included. */
  orderNotDoubtful(id: string): void {
    this.run("UPDATE orders SET doubtful = 0 WHERE id = ? AND state = 'open'", id)
  }

  /** The engine has acknowledged the order: its amount is the engine's to move. */
  orderTaken(id: string): void {
    this.run(
      "UPDATE orders SET state = 'taken', failures = 0, problem = NULL WHERE id = ? AND state = 'open'",
      id,
    )
  }

  /**
   * An operator answers for the outcome of an order that the engine has not acknowledged, or that this journal does not
   * know because an earlier one was lost. False when it is acknowledged or finished: then nothing was changed.
   */
  decideOrder(order: SettlementOrder, key: string, { outcome, reason }: OrderVerdict): boolean {
    return transact(this.database, () => {
      this.addOrder(order, key)
      const state = outcome === 'paid' ? 'taken' : 'abandoned'
      const changes = this.run(
        "UPDATE orders SET state = ?, problem = ?, failures = 0, next_try_ms = 0 WHERE id = ? AND state = 'open'",
        state,
        outcome === 'paid' ? null : reason,
        order.id,
      )
      return changes === 1
    })
  }

  /** The node knows that the order was taken. */
  orderSettled(id: string): void {
    transact(this.database, () => {
      const order = this.order(id)
      if (order?.state !== 'taken') return
      const { settled } = this.account(order.accountId) ?? { settled: NOTHING }
      const sum = addQuantities(settled, order.quantity)
      this.run("UPDATE orders SET state = 'settled', problem = NULL WHERE id = ?", id)
      this.run(
        'UPDATE accounts SET settled_amount = ?, settled_scale = ? WHERE id = ?',
        sum.amount.toString(),
        sum.scale,
        order.accountId,
      )
    })
  }

  /** The node knows that the order was given up. */
  orderRefused(id: string): void {
    this.run("UPDATE orders SET state = 'refused' WHERE id = ? AND state = 'abandoned'", id)
  }

  /** Orders of an account that are not finished, one after the other. */
  *unfinished(accountId: string): Generator<JournalOrder> {
    const statement = this.database.prepare(`SELECT * FROM orders WHERE account_id = ? AND ${UNFINISHED}`)
    for (const row of statement.iterate(accountId)) yield orderOf(row)
  }

  /** How many orders are not finished. */
  unfinishedCount(): number {
    return this.get(`SELECT count(*) AS count FROM orders WHERE ${UNFINISHED}`)!.count as number
  }

  /** Takes a credit over. `same`: it is known with this account and quantity; `other`: with others, and nothing was changed. */
  takeCredit(credit: JournalCredit): 'new' | 'same' | 'other' {
    const { id, accountId, assetCode, payable, quantity } = credit
    const empty = quantity.amount === 0n
    const changes = this.run(
      `INSERT INTO credits (id, account_id, asset_code, payable, amount, scale, state) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
      id,
      accountId,
      assetCode,
      payable ? 1 : 0,
      quantity.amount.toString(),
      quantity.scale,
      empty ? 'booked' : 'taken',
    )
    if (changes === 1) return 'new'
    const known = this.credit(id)!
    const same = known.accountId === accountId && compareQuantities(known.quantity, quantity) === 0
    return same ? 'same' : 'other'
  }

  credit(id: string): JournalCredit | undefined {
    const row = this.get('SELECT * FROM credits WHERE id = ?', id)
    if (row === undefined) return undefined
    return {
      id,
      accountId: row.account_id as string,
      assetCode: row.asset_code as string,
      payable: row.payable === 1,
      quantity: quantityOf(row.amount, row.scale),
    }
  }

  /** The node has booked the credit. */
  creditBooked(id: string): void {
    transact(this.database, () => {
      const changes = this.run(
        "UPDATE credits SET state = 'booked', problem = NULL WHERE id = ? AND state = 'taken'",
        id,
      )
      const credit = this.credit(id)
      if (changes === 0 || credit === undefined) return
      const { credited } = this.account(credit.accountId) ?? { credited: NOTHING }
      const sum = addQuantities(credited, credit.quantity)
      this.run(
        'UPDATE accounts SET credited_amount = ?, credited_scale = ? WHERE id = ?',
        sum.amount.toString(),
        sum.scale,
        credit.accountId,
      )
    })
  }
}

function accountOf(row: Row): JournalAccount {
  return {
    id: row.id as string,
    state: row.state as 'open' | 'closed',
    assetCode: row.asset_code as string,
    assetScale: row.asset_scale as number,
    todo: (row.todo as 'setup' | 'delete' | null) ?? undefined,
    settled: quantityOf(row.settled_amount, row.settled_scale),
    credited: quantityOf(row.credited_amount, row.credited_scale),
  }
}

function orderOf(row: Row): JournalOrder {
  return {
    id: row.id as string,
    accountId: row.account_id as string,
    quantity: quantityOf(row.amount, row.scale),
    key: row.key as string,
    state: row.state as OrderState,
    doubtful: row.doubtful === 1,
    failures: row.failures as number,
    problem: (row.problem as string | null) ?? undefined,
  }
}
