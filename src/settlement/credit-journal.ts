import type { SQLOutputValue } from 'node:sqlite'
import type { Clock } from '../lib/clock.ts'
import { transact } from '../lib/transact.ts'
import type { Store } from '../store/store.ts'
import type { CreditState } from './credit-state.ts'
import type { IncomingCredit, Quantity } from './engine.ts'
import { journalPage, type PageBounds } from './journal-page.ts'
import { addQuantities, convertQuantity } from './quantity.ts'
import { nextSequence } from './settlement-sequence.ts'
import { addToTotal } from './settlement-totals.ts'

export interface ReceivedCredit {
  /** As the engine named it; unique in the engine. */
  id: string
  engine: string
  /** Order of all settlements of the node, in and out. */
  sequence: number
  /** The account that the engine named. */
  toldAccountId: string | undefined
  /** The account that gets it; undefined while it is in SUSPENSE. */
  accountId: string | undefined
  assetCode: string
  quantity: Quantity
  sender: string | undefined
  /** What the ledger books to the account; the rest, if any, went to the remainder. Undefined without an account. */
  booked: Quantity | undefined
  state: CreditState
  /** Why it went to SUSPENSE. */
  reason: string | undefined
  createdMs: number
  updatedMs: number
}

/** An account as far as credits concern it. */
export interface CreditedAccount {
  readonly id: string
  readonly assetCode: string
  readonly assetScale: number
}

/** Money that went from SUSPENSE to an account, in units of 10^-`scale`. */
export interface AttributedCredit {
  readonly assetCode: string
  readonly scale: number
  readonly amount: bigint
  /** False: the ledger may not have taken it out of SUSPENSE yet. */
  readonly isDone: boolean
}

/** A credit id was told again with other fields: nothing was changed. */
export class CreditConflictError extends Error {
  override readonly name = 'CreditConflictError'
}

const IS_OPEN = "state NOT IN ('booked', 'suspended')"

/** Credits that engines told, and what is too small to be booked of them. */
export class CreditJournal {
  readonly #store: Pick<Store, 'database'>
  readonly #clock: Clock

  constructor(deps: { store: Pick<Store, 'database'>; clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  get(engine: string, id: string): ReceivedCredit | undefined {
    const sql = 'SELECT * FROM settlement_credits WHERE engine = ? AND id = ?'
    const row = this.#store.database.prepare(sql).get(engine, id)
    return row === undefined ? undefined : toCredit(row)
  }

  /** All with that id, in whichever engine. */
  find(id: string): ReceivedCredit[] {
    return this.#store.database.prepare('SELECT * FROM settlement_credits WHERE id = ?').all(id).map(toCredit)
  }

  /** Those that have not come to rest, oldest first: all, or a page of at most `limit` after the one of that sequence. */
  open({ after = 0, limit = -1 }: { after?: number; limit?: number } = {}): ReceivedCredit[] {
    const sql = `SELECT * FROM settlement_credits WHERE ${IS_OPEN} AND sequence > ? ORDER BY sequence LIMIT ?`
    return this.#store.database.prepare(sql).all(after, limit).map(toCredit)
  }

  /** The sum of the engine's credits whose ids begin with `prefix`, in every state. */
  credited(engine: string, prefix: string): Quantity {
    const rows = this.#store.database
      .prepare(
        `SELECT amount, scale FROM settlement_credits
         WHERE engine = ?1 AND id >= ?2 AND substr(id, 1, length(?2)) = ?2 AND id < ?2 || char(1114111)`,
      )
      .iterate(engine, prefix)
    let sum: Quantity = { amount: 0n, scale: 0 }
    for (const { amount, scale } of rows) {
      sum = addQuantities(sum, { amount: BigInt(amount as string), scale: scale as number })
    }
    return sum
  }

  /** Those of the engine that were in SUSPENSE and went, or go, to an account. */
  attributed(engine: string): AttributedCredit[] {
    const sql = `SELECT asset_code, amount, scale, state FROM settlement_credits
       WHERE engine = ? AND account_id IS NOT NULL AND reason IS NOT NULL`
    return this.#store.database
      .prepare(sql)
      .all(engine)
      .map((row) => ({
        assetCode: row.asset_code as string,
        scale: row.scale as number,
        amount: BigInt(row.amount as string),
        isDone: row.state === 'booked',
      }))
  }

  /** How many of the engine's stand in SUSPENSE. */
  countSuspended(engine: string): number {
    const sql = "SELECT count(*) AS count FROM settlement_credits WHERE engine = ? AND state = 'suspended'"
    return this.#store.database.prepare(sql).get(engine)!.count as number
  }

  /** Writes the credit, to be booked to `to` or, without one, to SUSPENSE. The id must be new. */
  add(
    engine: string,
    credit: IncomingCredit,
    to: CreditedAccount | undefined,
    reason: string | undefined,
  ): void {
    const { database } = this.#store
    const { id, accountId = null, assetCode, quantity, sender = null } = credit
    const now = this.#clock.now()
    transact(database, () => {
      const booked = to === undefined ? undefined : this.#takeRemainder(engine, quantity, to)
      database
        .prepare(
          `INSERT INTO settlement_credits (engine, id, sequence, told_account_id, account_id, asset_code, amount, scale,
             sender, booked, booked_scale, state, reason, created_ms, updated_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          engine,
          id,
          nextSequence(database),
          accountId,
          to?.id ?? null,
          assetCode,
          quantity.amount.toString(),
          quantity.scale,
          sender,
          booked?.toString() ?? null,
          to?.assetScale ?? null,
          to === undefined ? 'suspending' : 'booking',
          reason ?? null,
          now,
          now,
        )
      addToTotal(database, { kind: 'told', engine, accountId: accountId ?? '', assetCode, ...quantity })
    })
  }

  /** What `suspended` has in SUSPENSE is to go to the account. */
  attribute(credit: ReceivedCredit, to: CreditedAccount): void {
    const { database } = this.#store
    transact(database, () => {
      const booked = this.#takeRemainder(credit.engine, credit.quantity, to)
      const { changes } = database
        .prepare(
          `UPDATE settlement_credits SET state = 'attributing', account_id = ?, booked = ?, booked_scale = ?, updated_ms = ?
           WHERE engine = ? AND id = ? AND state = 'suspended'`,
        )
        .run(to.id, booked.toString(), to.assetScale, this.#clock.now(), credit.engine, credit.id)
      if (changes === 0) throw new CreditConflictError(`credit ${credit.id} is not in SUSPENSE`)
      addToTotal(database, suspendedTotal(credit, -credit.quantity.amount))
    })
  }

  /** The ledger has it: `booking` or `attributing` becomes `booked`, `suspending` becomes `suspended`. */
  finish(credit: ReceivedCredit): void {
    const { database } = this.#store
    const to = credit.state === 'suspending' ? 'suspended' : 'booked'
    transact(database, () => {
      const { changes } = database
        .prepare(
          'UPDATE settlement_credits SET state = ?, updated_ms = ? WHERE engine = ? AND id = ? AND state = ?',
        )
        .run(to, this.#clock.now(), credit.engine, credit.id, credit.state)
      if (changes === 0) return
      if (to === 'suspended') addToTotal(database, suspendedTotal(credit, credit.quantity.amount))
      else addToTotal(database, bookedTotal(credit))
    })
  }

  /** What was too small to be booked to the account so far. */
  remainder(engine: string, account: CreditedAccount): Quantity {
    const row = this.#store.database
      .prepare(
        'SELECT amount, scale FROM settlement_remainders WHERE account_id = ? AND engine = ? AND asset_code = ?',
      )
      .get(account.id, engine, account.assetCode)
    if (row === undefined) return { amount: 0n, scale: account.assetScale }
    return { amount: BigInt(row.amount as string), scale: row.scale as number }
  }

  /** Newest first. */
  page(bounds: PageBounds): ReceivedCredit[] {
    return journalPage(this.#store.database, 'settlement_credits', bounds).map(toCredit)
  }

  /** How much of the quantity, with the remainder so far, the account gets; the rest is the remainder from now on. */
  #takeRemainder(engine: string, quantity: Quantity, account: CreditedAccount): bigint {
    const sum = addQuantities(this.remainder(engine, account), quantity)
    const { amount, remainder } = convertQuantity(sum, account.assetScale)
    this.#store.database
      .prepare(
        `INSERT INTO settlement_remainders (account_id, engine, asset_code, amount, scale) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (account_id, engine, asset_code) DO UPDATE SET amount = excluded.amount, scale = excluded.scale`,
      )
      .run(account.id, engine, account.assetCode, remainder.amount.toString(), remainder.scale)
    return amount
  }
}

function suspendedTotal(credit: ReceivedCredit, amount: bigint): Parameters<typeof addToTotal>[1] {
  const { engine, assetCode, quantity } = credit
  return { kind: 'suspended', engine, accountId: '', assetCode, scale: quantity.scale, amount }
}

function bookedTotal(credit: ReceivedCredit): Parameters<typeof addToTotal>[1] {
  const { engine, assetCode, accountId = '', booked = { amount: 0n, scale: 0 } } = credit
  return { kind: 'booked', engine, accountId, assetCode, ...booked }
}

function toCredit(row: Record<string, SQLOutputValue>): ReceivedCredit {
  const booked = row.booked as string | null
  return {
    id: row.id as string,
    engine: row.engine as string,
    sequence: row.sequence as number,
    toldAccountId: (row.told_account_id as string | null) ?? undefined,
    accountId: (row.account_id as string | null) ?? undefined,
    assetCode: row.asset_code as string,
    quantity: { amount: BigInt(row.amount as string), scale: row.scale as number },
    sender: (row.sender as string | null) ?? undefined,
    booked: booked === null ? undefined : { amount: BigInt(booked), scale: row.booked_scale as number },
    state: row.state as CreditState,
    reason: (row.reason as string | null) ?? undefined,
    createdMs: row.created_ms as number,
    updatedMs: row.updated_ms as number,
  }
}
