import type { Hex } from 'viem'
import { OrderConflictError } from '../../../src/settlement/engine.ts'
import type { EngineStore } from '../engine-store.ts'
import { addToTotal } from './totals.ts'

export interface OrderRecord {
  readonly id: string
  readonly accountId: string
  /** Smallest units of the token. */
  readonly amount: bigint
  /** `signed`: part of a voucher; `sent`: a transaction of its own. */
  readonly state: 'queued' | 'signed' | 'sent' | 'settled' | 'refused'
  readonly channelId: Hex | undefined
  /** The voucher's figure that covers it. */
  readonly upto: bigint | undefined
  /** The part that was paid before, for no order in the books. */
  readonly covered: bigint
  /** Of its own transaction. */
  readonly purpose: string | undefined
  readonly reason: string | undefined
}

/** Reason of an order that ended at the node in a time that the books do not know. */
export const FORGOTTEN = 'forgotten'

type Row = Record<string, string | number | null>

/** Orders in the engine's store. Every call is one transaction, or part of the caller's. */
export class OrderBook {
  readonly #store: EngineStore

  constructor(deps: { store: EngineStore }) {
    this.#store = deps.store
  }

  /** @throws OrderConflictError when the id was used for something else */
  find(order: { id: string; accountId: string; amount: bigint }): OrderRecord | undefined {
    const row = this.#store.database.prepare('SELECT * FROM engine_orders WHERE id = ?').get(order.id)
    if (row === undefined) return undefined
    const found = toOrder(row as Row)
    if (found.accountId !== order.accountId || found.amount !== order.amount) {
      throw new OrderConflictError(
        `order ${order.id} was given before with another account or amount: nothing was changed`,
      )
    }
    return found
  }

  add(order: { id: string; accountId: string; amount: bigint }): void {
    this.#store.database
      .prepare("INSERT INTO engine_orders (id, account_id, amount, state) VALUES (?, ?, ?, 'queued')")
      .run(order.id, order.accountId, String(order.amount))
  }

  /** Neither settled nor refused, oldest first. */
  open(accountId: string): OrderRecord[] {
    return this.#list(
      "SELECT * FROM engine_orders WHERE account_id = ? AND state NOT IN ('settled', 'refused') ORDER BY seq",
      accountId,
    )
  }

  /** Of accounts with open orders. */
  busyAccounts(): string[] {
    const rows = this.#store.database
      .prepare("SELECT DISTINCT account_id FROM engine_orders WHERE state NOT IN ('settled', 'refused')")
      .all()
    return rows.map((row) => String((row as Row).account_id))
  }

  byPurpose(purpose: string): OrderRecord | undefined {
    return this.#list('SELECT * FROM engine_orders WHERE purpose = ?', purpose)[0]
  }

  setSent(id: string, purpose: string): void {
    this.#store.database
      .prepare("UPDATE engine_orders SET state = 'sent', purpose = ? WHERE id = ? AND state = 'queued'")
      .run(purpose, id)
  }

  /** `covered` of it comes from the surplus; the caller has taken it from there. */
  setSigned(id: string, by: { channelId: Hex; upto: bigint; covered: bigint }): void {
    this.#store.database
      .prepare(
        "UPDATE engine_orders SET state = 'signed', channel_id = ?, upto = ?, covered = ? WHERE id = ? AND state = 'queued'",
      )
      .run(by.channelId, String(by.upto), String(by.covered), id)
  }

  /** The payee has been paid up to this figure of the channel. */
  settleUpTo(channelId: Hex, figure: bigint): void {
    for (const order of this.#signedIn(channelId)) if (order.upto! <= figure) this.settle(order)
  }

  /** The channel is gone: what its vouchers can no longer pay is to be paid otherwise. */
  requeueAbove(channelId: Hex, figure: bigint): void {
    for (const order of this.#signedIn(channelId)) {
      if (order.upto! <= figure) continue
      this.#store.database
        .prepare(
          "UPDATE engine_orders SET state = 'queued', channel_id = NULL, upto = NULL, covered = '0' WHERE id = ?",
        )
        .run(order.id)
      addToTotal(this.#store, 'surplus', order.accountId, order.covered)
    }
  }

  /** Changes nothing when it has ended already. */
  settle(order: OrderRecord): void {
    const { changes } = this.#store.database
      .prepare(
        "UPDATE engine_orders SET state = 'settled' WHERE id = ? AND state NOT IN ('settled', 'refused')",
      )
      .run(order.id)
    if (Number(changes) === 1) addToTotal(this.#store, 'settled', order.accountId, order.amount)
  }

  /** Changes nothing when it has ended already. */
  refuse(order: OrderRecord, reason: string): void {
    this.#store.database
      .prepare(
        "UPDATE engine_orders SET state = 'refused', reason = ? WHERE id = ? AND state NOT IN ('settled', 'refused')",
      )
      .run(reason, order.id)
  }

  get(id: string): OrderRecord | undefined {
    return this.#list('SELECT * FROM engine_orders WHERE id = ?', id)[0]
  }

  /** Ended at the node, nobody here knows how: it is not to be paid, told or counted. */
  setForgotten(id: string): void {
    const sql = "UPDATE engine_orders SET state = 'settled', told = 1, reason = ? WHERE id = ?"
    this.#store.database.prepare(sql).run(FORGOTTEN, id)
  }

  /** Open at the node after all: nothing is known to have paid it. */
  setRemembered(id: string): void {
    this.#store.database
      .prepare(
        "UPDATE engine_orders SET state = 'queued', told = 0, channel_id = NULL, upto = NULL, covered = '0', reason = NULL WHERE id = ?",
      )
      .run(id)
  }

  /** The node has lost what it was told. */
  setUntold(id: string): void {
    this.#store.database.prepare('UPDATE engine_orders SET told = 0 WHERE id = ?').run(id)
  }

  /** At their end and the node has not taken note of it. */
  untold(limit: number): OrderRecord[] {
    return this.#list(
      `SELECT * FROM engine_orders WHERE told = 0 AND state IN ('settled', 'refused') ORDER BY seq LIMIT ${limit}`,
    )
  }

  setTold(id: string): void {
    this.#store.database.prepare('UPDATE engine_orders SET told = 1 WHERE id = ?').run(id)
  }

  #signedIn(channelId: Hex): OrderRecord[] {
    return this.#list(
      "SELECT * FROM engine_orders WHERE channel_id = ? AND state = 'signed' ORDER BY seq",
      channelId,
    )
  }

  #list(sql: string, ...values: string[]): OrderRecord[] {
    return this.#store.database
      .prepare(sql)
      .all(...values)
      .map((row) => toOrder(row as Row))
  }
}

function toOrder(row: Row): OrderRecord {
  return {
    id: String(row.id),
    accountId: String(row.account_id),
    amount: BigInt(row.amount as string),
    state: row.state as OrderRecord['state'],
    channelId: (row.channel_id ?? undefined) as Hex | undefined,
    upto: row.upto === null ? undefined : BigInt(row.upto as string),
    covered: BigInt(row.covered as string),
    purpose: (row.purpose ?? undefined) as string | undefined,
    reason: (row.reason ?? undefined) as string | undefined,
  }
}
