import { transact } from '../../lib/transact.ts'
import type { HostOrders, IncomingCredit, Quantity, SettlementOrder } from '../engine.ts'
import { addQuantities, compareQuantities, convertQuantity, subtractQuantities } from '../quantity.ts'
import { DeliveryJournal, quantityOf } from './delivery-journal.ts'
import { HOST_MIGRATIONS } from './host-migrations.ts'
import { deriveKey } from './rfc38-key.ts'
import { fitsBody } from './rfc38-quantity.ts'

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
  readonly assetCode: string
  readonly quantity: Quantity
  readonly sender: string | undefined
}

/** Refusals in a row that halve the next order: enough for any amount to become one that can be paid. */
const HALVINGS_MAX = 256

/** An account as operators see it. */
export interface ServedAccount {
  readonly id: string
  readonly state: 'open' | 'closed'
  /** Asked for and in no order: too fine for the network, or refused by it. */
  readonly pending: Quantity
  /** Not credited by the connector, for the next credit. */
  readonly carried: Quantity
  /** Why the engine refused the last order, while that is tried again. */
  readonly problem: string | undefined
}

/** How much waits for somebody. */
export interface Waiting {
  /** Orders that the engine has not taken yet. */
  readonly ordersToGive: number
  /** Credits that the connector has not acknowledged yet. */
  readonly creditsToTell: number
  /** What came of the last attempt at the one among them that has failed most often. */
  readonly problem: string | undefined
  /** Credits whose payer nobody knows. */
  readonly suspended: number
}

/**
 * What an engine served to a foreign connector must not forget. To be delivered: orders to the engine, credits to the
 * connector, and, of accounts whose engine refused an order, what was refused, to the engine again.
 */
export class HostJournal extends DeliveryJournal {
  constructor(path: string) {
    const pending = { orders: "state = 'open'", credits: "state = 'open'", accounts: 'held_off = 1' }
    super({ path, migrations: HOST_MIGRATIONS, pending })
  }

  openAccount(id: string): void {
    this.run(
      "INSERT INTO accounts (id, state) VALUES (?, 'open') ON CONFLICT (id) DO UPDATE SET state = 'open'",
      id,
    )
  }

  closeAccount(id: string): void {
    this.run("UPDATE accounts SET state = 'closed' WHERE id = ?", id)
  }

  /** Undefined for an account that never was. */
  accountState(id: string): 'open' | 'closed' | undefined {
    return this.get('SELECT state FROM accounts WHERE id = ?', id)?.state as 'open' | 'closed' | undefined
  }

  openAccounts(): string[] {
    const rows = this.database.prepare("SELECT id FROM accounts WHERE state = 'open' ORDER BY id").all()
    return rows.map((row) => row.id as string)
  }

  /** By id. */
  accounts(limit: number): ServedAccount[] {
    const rows = this.database.prepare('SELECT * FROM accounts ORDER BY id LIMIT ?').all(limit)
    return rows.map((row) => ({
      id: row.id as string,
      state: row.state as 'open' | 'closed',
      pending: quantityOf(row.pending_amount, row.pending_scale),
      carried: quantityOf(row.carry_amount, row.carry_scale),
      problem: row.held_off === 1 ? ((row.problem as string | null) ?? undefined) : undefined,
    }))
  }

  waiting(): Waiting {
    const count = (table: string, state: string): number =>
      this.get(`SELECT count(*) AS count FROM ${table} WHERE state = ?`, state)!.count as number
    const worst = this.get(
      `SELECT problem FROM (SELECT problem, failures FROM orders WHERE state = 'open'
         UNION ALL SELECT problem, failures FROM credits WHERE state = 'open')
       WHERE problem IS NOT NULL ORDER BY failures DESC LIMIT 1`,
    )
    return {
      ordersToGive: count('orders', 'open'),
      creditsToTell: count('credits', 'open'),
      problem: worst?.problem as string | undefined,
      suspended: count('credits', 'suspense'),
    }
  }

  /** The asset of a suspended credit; undefined when there is none of that id. */
  suspendedAsset(creditId: string): string | undefined {
    const row = this.get("SELECT asset_code FROM credits WHERE id = ? AND state = 'suspense'", creditId)
    return row?.asset_code as string | undefined
  }

  /** What was asked for and is in no order yet: too fine for the network, or refused by it. */
  pending(accountId: string): Quantity {
    const row = this.get('SELECT pending_amount, pending_scale FROM accounts WHERE id = ?', accountId)
    return quantityOf(row?.pending_amount ?? '0', row?.pending_scale ?? 0)
  }

  /** What was told under a key before. */
  request(key: string): SettlementRequest | undefined {
    const row = this.get('SELECT * FROM requests WHERE key = ?', key)
    if (row === undefined) return undefined
    return { key, accountId: row.account_id as string, quantity: quantityOf(row.amount, row.scale) }
  }

  /**
   * Takes a request over: its amount, with what is pending, becomes an order at the engine's scale, and the rest stays
   * pending. The key must be new.
   */
  takeRequest(request: SettlementRequest, engineScale: number): void {
    const { key, accountId, quantity } = request
    transact(this.database, () => {
      this.run(
        'INSERT INTO requests (key, account_id, amount, scale) VALUES (?, ?, ?, ?)',
        key,
        accountId,
        quantity.amount.toString(),
        quantity.scale,
      )
      this.#setPending(accountId, addQuantities(this.pending(accountId), quantity))
      // Made of the key: should this journal be lost, the engine still knows the order when it is asked for again.
      if (!this.#isHeldOff(accountId))
        this.#makeOrder(accountId, engineScale, { id: deriveKey('order', accountId, key) })
    })
  }

  /**
   * Puts what is pending into an order again, after the engine had refused one: all of it the first time, half as much
   * with every further refusal, since an order may be larger than what the engine can pay at once. The rest follows
   * when the order has ended, or at `nextTryMs`.
   */
  retryPending(accountId: string, engineScale: number, next: { orderId: string; nextTryMs: number }): void {
    transact(this.database, () => {
      const { amount: whole } = convertQuantity(this.pending(accountId), engineScale)
      const halvings = Math.min(Math.max(this.#failures(accountId) - 1, 0), HALVINGS_MAX)
      const part = whole >> BigInt(halvings)
      const amount = part > 0n ? part : whole > 0n ? 1n : 0n
      this.#makeOrder(accountId, engineScale, { id: next.orderId, amount })
      this.run(
        'UPDATE accounts SET held_off = ?, next_try_ms = ? WHERE id = ?',
        amount < whole ? 1 : 0,
        next.nextTryMs,
        accountId,
      )
    })
  }

  order(id: string): SettlementOrder | undefined {
    const row = this.get('SELECT * FROM orders WHERE id = ?', id)
    if (row === undefined) return undefined
    return { id, accountId: row.account_id as string, quantity: quantityOf(row.amount, row.scale) }
  }

  /** What the engine is told of the account's orders: {@link HostOrders}. */
  orders(accountId: string): HostOrders {
    const inState = (state: string): SettlementOrder[] =>
      this.database
        .prepare('SELECT id, amount, scale FROM orders WHERE account_id = ? AND state = ? ORDER BY rowid')
        .all(accountId, state)
        .map((row) => ({ id: row.id as string, accountId, quantity: quantityOf(row.amount, row.scale) }))
    const settled = this.database
      .prepare("SELECT amount, scale FROM orders WHERE account_id = ? AND state = 'settled'")
      .iterate(accountId)
    return { settled: sumOf(settled), open: inState('taken'), offered: inState('open') }
  }

  /** The sum of the credits whose ids begin with `prefix`, in every state. */
  creditedSum(prefix: string): Quantity {
    const sql = 'SELECT amount, scale FROM credits WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1'
    return sumOf(this.database.prepare(sql).iterate(prefix))
  }

  /** The engine has stored the order. It may have told its outcome before. */
  orderTaken(id: string): void {
    this.run("UPDATE orders SET state = 'taken', problem = NULL WHERE id = ? AND state = 'open'", id)
  }

  orderSettled(id: string): void {
    transact(this.database, () => {
      const settled = this.run(
        "UPDATE orders SET state = 'settled', problem = NULL WHERE id = ? AND state IN ('open', 'taken')",
        id,
      )
      if (settled === 0) return
      // What is still held off is tried at once, and twice as much of it.
      this.run(
        `UPDATE accounts SET failures = max(failures - 1, 0), next_try_ms = 0
         WHERE id = (SELECT account_id FROM orders WHERE id = ?)`,
        id,
      )
    })
  }

  /** The amount of the order is pending again (RFC 38, "Retrying failed settlements"). False when it was before. */
  orderRefused(id: string, reason: string, retryAtMs: (failures: number) => number): boolean {
    return transact(this.database, () => {
      const order = this.order(id)
      const refused = this.run(
        "UPDATE orders SET state = 'refused', problem = ? WHERE id = ? AND state IN ('open', 'taken')",
        reason,
        id,
      )
      if (order === undefined || refused === 0) return false
      const { accountId } = order
      this.#setPending(accountId, addQuantities(this.pending(accountId), order.quantity))
      const failures = this.#failures(accountId) + 1
      this.run(
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
    const added = this.run(
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
    if (added === 1) return 'new'
    const row = this.get('SELECT * FROM credits WHERE id = ?', id)!
    const same =
      // One that was attributed since keeps its account.
      (accountId === undefined || row.account_id === accountId) &&
      row.asset_code === assetCode &&
      compareQuantities(quantityOf(row.amount, row.scale), quantity) === 0
    return same ? 'same' : 'other'
  }

  /** Credits whose payer nobody knows. RFC 38 has no place for them: they wait for {@link attribute}. */
  suspended(limit: number): SuspendedCredit[] {
    const rows = this.database
      .prepare("SELECT * FROM credits WHERE state = 'suspense' ORDER BY rowid LIMIT ?")
      .all(limit)
    return rows.map((row) => ({
      id: row.id as string,
      assetCode: row.asset_code as string,
      quantity: quantityOf(row.amount, row.scale),
      sender: (row.sender as string | null) ?? undefined,
    }))
  }

  /** Gives a suspended credit to an account. False when there is none of that id. */
  attribute(creditId: string, accountId: string): boolean {
    const sql =
      "UPDATE credits SET state = 'open', account_id = ?, next_try_ms = 0 WHERE id = ? AND state = 'suspense'"
    return this.run(sql, accountId, creditId) === 1
  }

  /**
   * The credit, as it is to be sent. Before the first time what the connector left over is added, and that is stored:
   * one key stands for one body for ever.
   */
  prepareCredit(id: string): OutgoingCredit {
    return transact(this.database, () => {
      const row = this.get('SELECT * FROM credits WHERE id = ?', id)!
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
      this.run(
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
    transact(this.database, () => {
      const done = this.run(
        "UPDATE credits SET state = 'credited', problem = NULL WHERE id = ? AND state = 'open'",
        credit.id,
      )
      if (done === 0 || compareQuantities(credited, credit.quantity) >= 0) return
      const rest = subtractQuantities(credit.quantity, credited)
      this.#setCarry(credit.accountId, addQuantities(this.#carry(credit.accountId), rest))
    })
  }

  /** What the connector has not credited, for the next credit of the account. */
  carried(accountId: string): Quantity {
    return this.#carry(accountId)
  }

  #isHeldOff(accountId: string): boolean {
    return this.get('SELECT held_off FROM accounts WHERE id = ?', accountId)?.held_off === 1
  }

  #failures(accountId: string): number {
    return this.get('SELECT failures FROM accounts WHERE id = ?', accountId)!.failures as number
  }

  /** Without an amount: all of what is pending that the engine can tell apart. */
  #makeOrder(accountId: string, engineScale: number, order: { id: string; amount?: bigint }): void {
    const pending = this.pending(accountId)
    const { id, amount = convertQuantity(pending, engineScale).amount } = order
    if (amount === 0n) return
    this.run(
      "INSERT INTO orders (id, account_id, amount, scale, state) VALUES (?, ?, ?, ?, 'open')",
      id,
      accountId,
      amount.toString(),
      engineScale,
    )
    this.#setPending(accountId, subtractQuantities(pending, { amount, scale: engineScale }))
  }

  #setPending(accountId: string, pending: Quantity): void {
    this.run(
      'UPDATE accounts SET pending_amount = ?, pending_scale = ? WHERE id = ?',
      pending.amount.toString(),
      pending.scale,
      accountId,
    )
  }

  #carry(accountId: string): Quantity {
    const row = this.get('SELECT carry_amount, carry_scale FROM accounts WHERE id = ?', accountId)
    return quantityOf(row?.carry_amount ?? '0', row?.carry_scale ?? 0)
  }

  #setCarry(accountId: string, carry: Quantity): void {
    // An engine may know an account that the connector has not set up here, or not yet.
    this.run(
      `INSERT INTO accounts (id, state, carry_amount, carry_scale) VALUES (?, 'closed', ?, ?)
       ON CONFLICT (id) DO UPDATE SET carry_amount = excluded.carry_amount, carry_scale = excluded.carry_scale`,
      accountId,
      carry.amount.toString(),
      carry.scale,
    )
  }
}

function sumOf(rows: Iterable<Record<string, unknown>>): Quantity {
  let sum: Quantity = { amount: 0n, scale: 0 }
  for (const { amount, scale } of rows) sum = addQuantities(sum, quantityOf(amount, scale))
  return sum
}
