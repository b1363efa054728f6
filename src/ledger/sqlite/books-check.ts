import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { assetName } from '../chart-of-accounts.ts'
import type { SelfCheck } from '../ledger.ts'
import type { AccountSums, AccountTable } from './account-table.ts'
import { fromSqlAmount } from './sql-amount.ts'
import { TransferKind, TransferState } from './transfer-table.ts'

/** Transfers summed per slice: some 5 to 10 ms of the worker, so that batches do not wait long. */
const SLICE_ROWS = 5_000

type Sums = Omit<AccountSums, 'creditLimit' | 'lastTransfer'>
const LOWER_32 = 0xffff_ffff

/**
 * Checks the books from their rows: in every asset debits equal credits, and the sums of every account are those of
 * its transfers. Reads the accounts at once, then the transfers up to that moment slice by slice, while batches go on.
 */
export class BooksCheck {
  readonly #accounts: AccountTable
  readonly #last: StatementSync
  readonly #settlementsOut: StatementSync
  readonly #small: Record<'debit' | 'credit', StatementSync>
  readonly #large: StatementSync

  constructor(db: DatabaseSync, accounts: AccountTable) {
    this.#accounts = accounts
    this.#last = db.prepare('SELECT max(id) AS id FROM transfers')
    this.#settlementsOut = db.prepare(
      `SELECT debit, credit, amount, state FROM transfers WHERE kind = ${TransferKind.settlementOut}`,
    )
    const slice = `id > ? AND id <= ? AND kind <> ${TransferKind.settlementOut} AND typeof(amount)`
    const sumBy = (side: 'debit' | 'credit'): StatementSync =>
      db.prepare(
        `SELECT ${side} AS account, sum(amount >> 32) AS upper, sum(amount & ${LOWER_32}) AS lower
         FROM transfers WHERE ${slice} = 'integer' GROUP BY ${side}`,
      )
    this.#small = { debit: sumBy('debit'), credit: sumBy('credit') }
    this.#large = db.prepare(`SELECT debit, credit, amount FROM transfers WHERE ${slice} = 'text'`)
  }

  /** Yields after every slice, so that other work gets in between. */
  *run(): Generator<undefined, SelfCheck> {
    const all = this.#accounts.all()
    const last = Number(this.#last.get()?.id ?? 0)
    const summed = new Map<number, Sums>()
    // Their state may change while the slices are read, so they are read at once with the accounts.
    for (const row of this.#settlementsOut.all()) {
      if (row.state === TransferState.voided) continue
      const side = row.state === TransferState.posted ? 'Posted' : 'Pending'
      const amount = fromSqlAmount(row.amount)
      sumsOf(summed, row.debit)[`debits${side}`] += amount
      sumsOf(summed, row.credit)[`credits${side}`] += amount
    }
    for (let from = 0; from < last; from += SLICE_ROWS) {
      this.#addSlice(summed, from, Math.min(from + SLICE_ROWS, last))
      yield
    }
    const assets = new Map<string, SelfCheck['assets'][number]>()
    let balanced = true
    for (const { row, sums } of all) {
      const name = assetName(row.assetCode, row.assetScale)
      const { assetCode, assetScale } = row
      const asset = assets.get(name) ?? { assetCode, assetScale, debits: 0n, credits: 0n }
      asset.debits += sums.debitsPosted + sums.debitsPending
      asset.credits += sums.creditsPosted + sums.creditsPending
      assets.set(name, asset)
      balanced &&= areEqual(sums, sumsOf(summed, row.id))
      summed.delete(row.id)
    }
    balanced &&= summed.size === 0
    for (const { debits, credits } of assets.values()) balanced &&= debits === credits
    return { balanced, assets: [...assets.values()] }
  }

  #addSlice(summed: Map<number, Sums>, from: number, to: number): void {
    for (const { account, upper, lower } of this.#small.debit.all(from, to)) {
      sumsOf(summed, account).debitsPosted += (toBigInt(upper) << 32n) + toBigInt(lower)
    }
    for (const { account, upper, lower } of this.#small.credit.all(from, to)) {
      sumsOf(summed, account).creditsPosted += (toBigInt(upper) << 32n) + toBigInt(lower)
    }
    for (const { debit, credit, amount } of this.#large.all(from, to)) {
      sumsOf(summed, debit).debitsPosted += fromSqlAmount(amount)
      sumsOf(summed, credit).creditsPosted += fromSqlAmount(amount)
    }
  }
}

function sumsOf(summed: Map<number, Sums>, account: unknown): Sums {
  const id = Number(account)
  let sums = summed.get(id)
  if (sums === undefined) {
    sums = { debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n }
    summed.set(id, sums)
  }
  return sums
}

function areEqual(a: Sums, b: Sums): boolean {
  return (
    a.debitsPosted === b.debitsPosted &&
    a.creditsPosted === b.creditsPosted &&
    a.debitsPending === b.debitsPending &&
    a.creditsPending === b.creditsPending
  )
}

function toBigInt(value: unknown): bigint {
  return BigInt(Number(value))
}
