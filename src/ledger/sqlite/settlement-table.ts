import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LedgerFaultError } from '../ledger-store.ts'
import type { AccountRow } from './account-table.ts'
import type { Posting } from './posting.ts'
import { TransferKind, TransferState } from './transfer-table.ts'

/** A settlement as asked for. */
export interface SettlementRequest {
  id: string
  account: AccountRow
  engine: string
  amount: bigint
  timestampMs: number
  /** False: the account has no room for it; what is booked already is found all the same. Default true. */
  isNewTaken?: boolean
}

interface Row {
  direction: 'in' | 'out'
  account: number
  engine: string
  amount: bigint
  state: 'held' | 'posted' | 'voided'
  transfer: number
}

/** The `settlements` table: what makes settlements idempotent. Calls run inside the caller's transaction. */
export class SettlementTable {
  readonly #posting: Posting
  readonly #select: StatementSync
  readonly #insert: StatementSync
  readonly #setState: StatementSync

  constructor(db: DatabaseSync, posting: Posting) {
    this.#posting = posting
    this.#select = db.prepare('SELECT * FROM settlements WHERE id = ?')
    this.#insert = db.prepare(
      'INSERT INTO settlements (id, direction, account, engine, amount, state, transfer) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    this.#setState = db.prepare('UPDATE settlements SET state = ? WHERE id = ?')
  }

  /** Books money received; false when it was booked before. */
  receive(request: SettlementRequest): boolean {
    return this.#begin('in', request)
  }

  /** Holds money to be paid; false when it was held before. */
  hold(request: SettlementRequest): boolean {
    return this.#begin('out', request)
  }

  /** Ends a held settlement; `changed` is false when it had ended the same way. */
  resolve(id: string, to: 'posted' | 'voided'): { account: number; amount: bigint; changed: boolean } {
    const row = this.#find(id)
    if (row === undefined || row.direction !== 'out') {
      throw new LedgerFaultError(`no outgoing settlement ${id} is held: it cannot be ${to}`)
    }
    const { account, amount } = row
    if (row.state === to) return { account, amount, changed: false }
    if (row.state !== 'held') {
      throw new LedgerFaultError(`settlement ${id} was ${row.state} before: it cannot be ${to}`)
    }
    const outside = this.#posting.settlementAccount(row.engine, account).id
    this.#posting.resolve(row.transfer, { debit: account, credit: outside, amount }, to)
    this.#setState.run(to, id)
    return { account, amount, changed: true }
  }

  #begin(direction: 'in' | 'out', request: SettlementRequest): boolean {
    const { id, account, engine, amount, timestampMs } = request
    const known = this.#find(id)
    if (known !== undefined) {
      const same =
        known.direction === direction &&
        known.account === account.id &&
        known.engine === engine &&
        known.amount === amount
      if (same) return false
      throw new LedgerFaultError(
        `settlement id ${id} was used before for another settlement: nothing was changed`,
      )
    }
    if (request.isNewTaken === false) {
      throw new LedgerFaultError(
        `settlement ${id} of ${amount} is more than ${account.name} has (balance and credit less packets in flight); nothing is held`,
      )
    }
    const outside = this.#posting.settlementAccount(engine, account.id).id
    const isIn = direction === 'in'
    const transfer = this.#posting.book({
      kind: isIn ? TransferKind.settlementIn : TransferKind.settlementOut,
      state: isIn ? TransferState.posted : TransferState.pending,
      debit: isIn ? outside : account.id,
      credit: isIn ? account.id : outside,
      amount,
      packetCount: 0,
      timestampMs,
    })
    const state = isIn ? 'posted' : 'held'
    this.#insert.run(id, direction, account.id, engine, amount.toString(), state, transfer)
    return true
  }

  #find(id: string): Row | undefined {
    const row = this.#select.get(id)
    if (row === undefined) return undefined
    return {
      direction: String(row.direction) as Row['direction'],
      account: Number(row.account),
      engine: String(row.engine),
      amount: BigInt(String(row.amount)),
      state: String(row.state) as Row['state'],
      transfer: Number(row.transfer),
    }
  }
}
