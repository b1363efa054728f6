import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { Clock } from '../lib/clock.ts'
import { transact } from '../lib/transact.ts'
import type { Store } from '../store/store.ts'
import type { Quantity } from './engine.ts'
import { journalPage, type PageBounds } from './journal-page.ts'
import { mayFollow, type OutgoingState } from './outgoing-state.ts'
import { nextSequence } from './settlement-sequence.ts'
import { addToTotal, type TotalKind } from './settlement-totals.ts'

/** What made the node settle. */
export type SettlementCause = 'threshold' | 'interval' | 'operator'

export interface PlannedSettlement {
  id: string
  accountId: string
  engine: string
  assetCode: string
  assetScale: number
  /** Units of the account: what the ledger holds. Exactly `quantity`, in the other scale. */
  amount: bigint
  /** What the engine is asked to pay. */
  quantity: Quantity
  cause: SettlementCause
}

export interface OutgoingSettlement extends PlannedSettlement {
  /** Order of all settlements of the node, in and out. */
  sequence: number
  state: OutgoingState
  /** Why it was refused, or what an operator said of it. */
  reason: string | undefined
  createdMs: number
  updatedMs: number
}

/** A settlement was asked to go where its state does not lead: nothing was changed. */
export class SettlementStateError extends Error {
  override readonly name = 'SettlementStateError'
}

const IS_OPEN = "state NOT IN ('settled', 'refused')"
const TOTAL_OF_STATE: Partial<Record<OutgoingState, TotalKind>> = {
  'carried-out': 'carried-out',
  settled: 'posted',
}

/** Orders to pay, in the store. Every change is one transaction, durable when the call returns. */
export class OutgoingJournal {
  readonly #store: Pick<Store, 'database'>
  readonly #clock: Clock

  constructor(deps: { store: Pick<Store, 'database'>; clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** Writes orders, all or none, in the order given. */
  plan(settlements: readonly PlannedSettlement[]): void {
    const { database } = this.#store
    const now = this.#clock.now()
    transact(database, () => {
      for (const settlement of settlements) insert(database, settlement, now)
    })
  }

  /**
   * Moves the settlement on. False when it stood there already.
   * @throws SettlementStateError when it is not known, or its state does not lead there
   */
  advance(id: string, to: OutgoingState, reason?: string): boolean {
    const { database } = this.#store
    return transact(database, () => {
      const settlement = this.get(id)
      if (settlement === undefined) throw new SettlementStateError(`there is no settlement ${id}`)
      if (settlement.state === to) return false
      if (!mayFollow(settlement.state, to)) {
        throw new SettlementStateError(`settlement ${id} is ${settlement.state}: it cannot become ${to}`)
      }
      database
        .prepare(
          'UPDATE settlements_out SET state = ?, reason = coalesce(?, reason), updated_ms = ? WHERE id = ?',
        )
        .run(to, reason ?? null, this.#clock.now(), id)
      addTotals(database, settlement, to)
      return true
    })
  }

  /** Keeps what an operator said of the settlement. */
  note(id: string, reason: string): void {
    this.#store.database.prepare('UPDATE settlements_out SET reason = ? WHERE id = ?').run(reason, id)
  }

  get(id: string): OutgoingSettlement | undefined {
    const row = this.#store.database.prepare('SELECT * FROM settlements_out WHERE id = ?').get(id)
    return row === undefined ? undefined : toSettlement(row)
  }

  /** Those of the account that have not ended, oldest first. */
  open(accountId: string): OutgoingSettlement[] {
    const sql = `SELECT * FROM settlements_out WHERE account_id = ? AND ${IS_OPEN} ORDER BY sequence`
    return this.#store.database.prepare(sql).all(accountId).map(toSettlement)
  }

  /** Those of the engine that have not ended, of all accounts: read at once, while packets wait. */
  openOf(engine: string): OutgoingSettlement[] {
    const sql = `SELECT * FROM settlements_out WHERE engine = ? AND ${IS_OPEN}`
    return this.#store.database.prepare(sql).all(engine).map(toSettlement)
  }

  /** How many of the engine's have not ended, and since when the oldest of them. */
  waiting(engine: string): { open: number; openSinceMs: number | undefined } {
    const sql = `SELECT count(*) AS open, min(created_ms) AS since FROM settlements_out WHERE engine = ? AND ${IS_OPEN}`
    const row = this.#store.database.prepare(sql).get(engine)!
    return { open: row.open as number, openSinceMs: (row.since as number | null) ?? undefined }
  }

  /** Accounts that have settlements which have not ended. */
  openAccounts(): string[] {
    const sql = `SELECT DISTINCT account_id FROM settlements_out WHERE ${IS_OPEN}`
    return this.#store.database
      .prepare(sql)
      .all()
      .map((row) => row.account_id as string)
  }

  /** Newest first. */
  page(bounds: PageBounds): OutgoingSettlement[] {
    return journalPage(this.#store.database, 'settlements_out', bounds).map(toSettlement)
  }
}

function insert(database: DatabaseSync, settlement: PlannedSettlement, nowMs: number): void {
  const { id, accountId, engine, assetCode, assetScale, amount, quantity, cause } = settlement
  database
    .prepare(
      `INSERT INTO settlements_out (id, sequence, account_id, engine, asset_code, asset_scale, amount, engine_amount,
         engine_scale, cause, state, created_ms, updated_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', ?, ?)`,
    )
    .run(
      id,
      nextSequence(database),
      accountId,
      engine,
      assetCode,
      assetScale,
      amount.toString(),
      quantity.amount.toString(),
      quantity.scale,
      cause,
      nowMs,
      nowMs,
    )
}

function addTotals(database: DatabaseSync, settlement: OutgoingSettlement, to: OutgoingState): void {
  const kind = TOTAL_OF_STATE[to]
  if (kind === undefined) return
  const { engine, accountId, assetCode, assetScale, amount, quantity } = settlement
  const sum = kind === 'posted' ? { amount, scale: assetScale } : quantity
  addToTotal(database, { kind, engine, accountId, assetCode, ...sum })
}

function toSettlement(row: Record<string, SQLOutputValue>): OutgoingSettlement {
  return {
    id: row.id as string,
    sequence: row.sequence as number,
    accountId: row.account_id as string,
    engine: row.engine as string,
    assetCode: row.asset_code as string,
    assetScale: row.asset_scale as number,
    amount: BigInt(row.amount as string),
    quantity: { amount: BigInt(row.engine_amount as string), scale: row.engine_scale as number },
    cause: row.cause as SettlementCause,
    state: row.state as OutgoingState,
    reason: (row.reason as string | null) ?? undefined,
    createdMs: row.created_ms as number,
    updatedMs: row.updated_ms as number,
  }
}
