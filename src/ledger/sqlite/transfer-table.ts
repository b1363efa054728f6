import assert from 'node:assert'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { lineAccountName } from '../chart-of-accounts.ts'
import type { HistoryEntry, HistoryQuery } from '../ledger.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import type { AccountRow, AccountTable } from './account-table.ts'
import { fromSqlAmount, toSqlAmount } from './sql-amount.ts'

export const TransferKind = {
  packets: 0,
  settlementIn: 1,
  settlementOut: 2,
  creditLine: 3,
  loss: 4,
} as const
export type TransferKind = (typeof TransferKind)[keyof typeof TransferKind]

export const TransferState = { posted: 0, pending: 1, voided: 2 } as const
export type TransferState = (typeof TransferState)[keyof typeof TransferState]

const KIND_NAMES: readonly HistoryEntry['kind'][] = [
  'packets',
  'settlement-in',
  'settlement-out',
  'credit-line',
  'loss',
]
const STATE_NAMES: readonly HistoryEntry['state'][] = ['posted', 'pending', 'voided']

/** Rows of one INSERT when many are written: calls into SQLite cost more than rows. */
const ROWS_PER_INSERT = 64
const COLUMNS = 10

export interface Transfer {
  kind: TransferKind
  state: TransferState
  /** `accounts.id` */
  debit: number
  credit: number
  amount: bigint
  packetCount: number
  timestampMs: number
}

/** A transfer with its place in the histories of both accounts. */
export interface LinkedTransfer extends Transfer {
  id: number
  debitPrevious: number
  creditPrevious: number
}

/** The `transfers` table: it only grows, and only the state of settlements changes. */
export class TransferTable {
  readonly #accounts: AccountTable
  readonly #insertOne: StatementSync
  readonly #insertMany: StatementSync
  readonly #setState: StatementSync
  readonly #select: StatementSync
  readonly #newest: StatementSync
  #lastId = 0
  #lastTimestampMs = 0

  constructor(db: DatabaseSync, accounts: AccountTable) {
    this.#accounts = accounts
    this.#insertOne = db.prepare(insertSql(1))
    this.#insertMany = db.prepare(insertSql(ROWS_PER_INSERT))
    this.#setState = db.prepare('UPDATE transfers SET state = ? WHERE id = ?')
    this.#select = db.prepare('SELECT * FROM transfers WHERE id = ?')
    this.#newest = db.prepare('SELECT id, timestamp_ms FROM transfers ORDER BY id DESC LIMIT 1')
    this.reload()
  }

  /** To be called after a rollback: transfers made in it are gone. */
  reload(): void {
    const newest = this.#newest.get()
    this.#lastId = Number(newest?.id ?? 0)
    this.#lastTimestampMs = Number(newest?.timestamp_ms ?? 0)
  }

  /** The id of the next transfer; it must be added. */
  nextId(): number {
    return ++this.#lastId
  }

  /** Adds transfers in the order of their ids. Times never go back, whatever the clock does. */
  add(transfers: readonly LinkedTransfer[]): void {
    let from = 0
    for (; from + ROWS_PER_INSERT <= transfers.length; from += ROWS_PER_INSERT) {
      this.#insertMany.run(...this.#values(transfers, from, from + ROWS_PER_INSERT))
    }
    for (; from < transfers.length; from++) this.#insertOne.run(...this.#values(transfers, from, from + 1))
  }

  setState(id: number, state: TransferState): void {
    const { changes } = this.#setState.run(state, id)
    assert(Number(changes) === 1, 'the transfer of a settlement exists')
  }

  /** A page of one account's transfers, newest first. */
  history({ accountId, limit, before }: HistoryQuery): HistoryEntry[] {
    const account = this.#named(accountId)
    if (account === undefined) return []
    let next =
      before === undefined ? this.#accounts.sums(account.id).lastTransfer : this.#after(account, before)
    const entries: HistoryEntry[] = []
    while (next > 0 && entries.length < limit) {
      const row = this.#select.get(next)!
      entries.push(this.#toEntry(row))
      next = previousOf(row, account.id)
    }
    return entries
  }

  #values(transfers: readonly LinkedTransfer[], from: number, to: number): SQLInputValue[] {
    const values: SQLInputValue[] = []
    for (let at = from; at < to; at++) {
      const transfer = transfers[at]!
      const { id, kind, state, debit, credit, amount, packetCount, timestampMs } = transfer
      assert(amount > 0n, 'a transfer moves something')
      this.#lastTimestampMs = Math.max(timestampMs, this.#lastTimestampMs)
      values.push(id, kind, state, debit, credit, toSqlAmount(amount), packetCount, this.#lastTimestampMs)
      values.push(transfer.debitPrevious, transfer.creditPrevious)
    }
    return values
  }

  #named(accountId: string): AccountRow | undefined {
    const [kind, ...rest] = accountId.split(':')
    if (rest.length === 0) return this.#accounts.find('clearing', accountId)
    if (kind === 'line') return this.#accounts.find('line', rest.join(':'))
    return this.#accounts.find(kind as AccountRow['kind'], accountId)
  }

  /** The account's transfer before the one that `cursor` names. */
  #after(account: AccountRow, cursor: string): number {
    const row = /^[1-9]\d{0,15}$/.test(cursor) ? this.#select.get(Number(cursor)) : undefined
    if (row === undefined || (row.debit !== account.id && row.credit !== account.id)) {
      const text = cursor.slice(0, 40)
      throw new LedgerFaultError(`history cursor "${text}" is not one that this ledger gave for the account`)
    }
    return previousOf(row, account.id)
  }

  #toEntry(row: Record<string, unknown>): HistoryEntry {
    const cursor = String(row.id)
    return {
      cursor,
      id: cursor,
      kind: KIND_NAMES[Number(row.kind)]!,
      debitAccount: this.#nameOf(Number(row.debit)),
      creditAccount: this.#nameOf(Number(row.credit)),
      amount: fromSqlAmount(row.amount),
      packetCount: Number(row.packet_count),
      state: STATE_NAMES[Number(row.state)]!,
      timestampMs: Number(row.timestamp_ms),
    }
  }

  #nameOf(id: number): string {
    const { kind, name } = this.#accounts.at(id)
    return kind === 'line' ? lineAccountName(name) : name
  }
}

function previousOf(row: Record<string, unknown>, account: number): number {
  return Number(row.debit === account ? row.debit_previous : row.credit_previous)
}

function insertSql(rows: number): string {
  const row = `(${Array(COLUMNS).fill('?').join(', ')})`
  return `INSERT INTO transfers (id, kind, state, debit, credit, amount, packet_count, timestamp_ms, debit_previous,
    credit_previous) VALUES ${Array(rows).fill(row).join(', ')}`
}
