import assert from 'node:assert'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { crashPoint } from '../../lib/crash-point.ts'
import { assetName } from '../chart-of-accounts.ts'
import type { AccountBalance, HistoryEntry, HistoryQuery, LedgerAccountSpec, SelfCheck } from '../ledger.ts'
import { LedgerFaultError, RecordKind, type SettlementOutcome, type StoredAccount } from '../ledger-store.ts'
import { type AccountRow, AccountTable } from './account-table.ts'
import { BatchJournal } from './batch-journal.ts'
import { BooksCheck } from './books-check.ts'
import { CreditLine } from './credit-line.ts'
import {
  ACCOUNT_ROWS_MAX,
  NO_ACCOUNT,
  PacketNetting,
  packetColumns,
  recordsLength,
} from './packet-netting.ts'
import { Posting } from './posting.ts'
import { type SettlementRequest, SettlementTable } from './settlement-table.ts'
import { BrokenBooksError, toLedgerError } from './sqlite-error.ts'
import { migrate } from './sqlite-schema.ts'
import { TransferTable } from './transfer-table.ts'

/** Packets and sums that may wait in the journal before they are posted: bounds memory and the work of a start. */
const UNPOSTED_PACKETS_MAX = 1_048_576
const UNPOSTED_SUMS_MAX = 32_768
/** Pages written to the WAL before it is folded into the file: 4 MiB. */
const CHECKPOINT_PAGES = 1_024
const PAGE_BYTES = 4_096
/** Pages that a commit writes beside its records: the journal's inner page and the file's header. */
const PAGES_PER_COMMIT = 3
/** Rows that share a page, at least, when packets are posted: transfers are appended. */
const SUMS_PER_PAGE = 32
/** Room for the row ids of so many accounts to begin with; it doubles. */
const ROW_IDS_MIN = 256
/** How much of the file the worker keeps in memory, KiB. */
const CACHE_KIB = 32_768

export interface SqliteBooksOptions {
  path: string
  packetDetailDays: number
  /** How long to wait for another process to let go of the file, milliseconds. */
  lockWaitMs: number
}

/** A batch as it crosses to the worker: `records` as in the schema, with the caller's indexes as payer and payee. */
export interface RecordBatch {
  firstSequence: number
  count: number
  closedAtMs: number
  buffer: ArrayBufferLike
}

/**
 * The books in one SQLite file, synchronous; runs in the worker. A batch is made durable as one journal row; its
 * packets are posted (summed per payer and payee, double entry) a little later, many batches at once, and always
 * before anything is read or booked that is not a batch. What a crash leaves unposted is posted at the next start.
 */
export class SqliteBooks {
  readonly epoch: number
  readonly #path: string
  readonly #db: DatabaseSync
  readonly #beginStatement: StatementSync
  readonly #commitStatement: StatementSync
  readonly #accounts: AccountTable
  readonly #transfers: TransferTable
  readonly #posting: Posting
  readonly #journal: BatchJournal
  readonly #settlements: SettlementTable
  readonly #creditLine: CreditLine
  readonly #check: BooksCheck
  readonly #netting: PacketNetting
  /** Row of the account with the caller's index. */
  readonly #rows: (AccountRow | undefined)[] = []
  /** Its id, or `NO_ACCOUNT`: what a packet needs of it. */
  #rowIds = new Uint32Array(ROW_IDS_MIN)
  readonly #indexes = new Map<number, number>()
  #nextSequence = 0
  #journaledTo: bigint
  #lastClosedAtMs = 0
  #walPages = 0

  /** @throws LedgerFaultError when the file is locked by another process, damaged, or cannot be written */
  constructor({ path, packetDetailDays, lockWaitMs }: SqliteBooksOptions) {
    this.#path = path
    try {
      this.#db = new DatabaseSync(path)
      this.epoch = this.#begin(lockWaitMs)
    } catch (error) {
      throw toLedgerError(error, path)
    }
    const db = this.#db
    this.#beginStatement = db.prepare('BEGIN IMMEDIATE')
    this.#commitStatement = db.prepare('COMMIT')
    this.#accounts = new AccountTable(db)
    this.#transfers = new TransferTable(db, this.#accounts)
    this.#posting = new Posting(this.#accounts, this.#transfers)
    this.#journal = new BatchJournal(db, { epoch: this.epoch, packetDetailDays })
    this.#settlements = new SettlementTable(db, this.#posting)
    this.#creditLine = new CreditLine(this.#accounts, this.#posting)
    this.#check = new BooksCheck(db, this.#accounts)
    this.#netting = new PacketNetting((row) => {
      const { assetCode, assetScale } = this.#accounts.at(row)
      return assetName(assetCode, assetScale)
    })
    this.#journaledTo = this.#journal.postedTo()
    this.#postLeftovers()
  }

  /** Whether packets wait to be posted. */
  get hasUnposted(): boolean {
    return this.#netting.packets > 0
  }

  /** Whether so many packets wait that they should be posted now. */
  get shouldPost(): boolean {
    return this.#netting.size >= UNPOSTED_SUMS_MAX || this.#netting.packets >= UNPOSTED_PACKETS_MAX
  }

  /** Journals a batch durably. The buffer's payer and payee columns are overwritten. */
  journal({ firstSequence, count, closedAtMs, buffer }: RecordBatch): void {
    const columns = packetColumns(buffer, count)
    for (let at = 0; at < count; at++) {
      columns.payer[at] = this.#rowId(columns.payer[at]!)
      columns.payee[at] =
        columns.kind[at] === RecordKind.packet ? this.#rowId(columns.payee[at]!) : NO_ACCOUNT
    }
    const records = new Uint8Array(buffer, 0, recordsLength(count))
    if (firstSequence < this.#nextSequence) {
      if (firstSequence + count > this.#nextSequence) {
        throw new LedgerFaultError(`batch at ${firstSequence} overlaps what was booked: nothing was changed`)
      }
      return this.#journal.checkRepeat(firstSequence, records)
    }
    if (this.shouldPost) this.post()
    const id = this.#transact(() => {
      const added = this.#journal.add(firstSequence, { count, closedAtMs, records })
      crashPoint('ledger.before-commit')
      return added
    })
    crashPoint('ledger.after-commit')
    this.#nextSequence = firstSequence + count
    this.#journaledTo = id
    this.#lastClosedAtMs = closedAtMs
    this.#netting.add(columns, count)
    this.#walPages += PAGES_PER_COMMIT + Math.ceil(records.length / PAGE_BYTES)
  }

  /** Posts what waits in the journal. */
  post(): void {
    if (this.hasUnposted) this.#postAnd(() => undefined)
  }

  /** Deletes packet detail that is old enough. Whether there may be more. */
  purge(nowMs: number): boolean {
    return this.#transact(() => this.#journal.purge(nowMs))
  }

  /** Brings the WAL into the file once it is large. Not left to SQLite, which would hide a failing flush. */
  checkpointWhenDue(): void {
    if (this.#walPages < CHECKPOINT_PAGES) return
    this.#walPages = 0
    try {
      this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } catch (error) {
      throw toLedgerError(error, this.#path)
    }
  }

  /** A durable write that means nothing: tells whether the disk takes writes. */
  probe(): void {
    this.#transact(() => this.#journal.countProbe())
  }

  openAccount(spec: LedgerAccountSpec, index: number, timestampMs: number): StoredAccount {
    const row = this.#postAnd(() => {
      const known = this.#accounts.find('clearing', spec.id)
      checkSameAsset(known, spec)
      const atIndex = this.#rows[index]
      if (atIndex !== undefined && atIndex.name !== spec.id) {
        throw new LedgerFaultError(`account index ${index} belongs to ${atIndex.name}, not to ${spec.id}`)
      }
      const { id, assetCode, assetScale } = spec
      const account = known ?? this.#accounts.ensure('clearing', id, assetCode, assetScale)
      assert(account.id < ACCOUNT_ROWS_MAX, 'no more accounts fit')
      const limit = known === undefined ? spec.creditLimit : this.#creditLine.state(account).creditLimit
      this.#creditLine.setLimit(account, limit, timestampMs)
      return account
    })
    this.#rows[index] = row
    this.#rememberId(index, row.id)
    this.#indexes.set(row.id, index)
    return this.#creditLine.state(row)
  }

  setCreditLimit(index: number, limit: bigint, timestampMs: number): void {
    this.#postAnd(() => this.#creditLine.setLimit(this.#row(index), limit, timestampMs))
  }

  settle(direction: 'in' | 'out', entry: Omit<SettlementRequest, 'account'> & { index: number }): boolean {
    const request = { ...entry, account: this.#row(entry.index) }
    return this.#postAnd(() =>
      direction === 'in' ? this.#settlements.receive(request) : this.#settlements.hold(request),
    )
  }

  resolveSettlement(id: string, to: 'posted' | 'voided'): SettlementOutcome {
    const { account, amount, changed } = this.#postAnd(() => this.#settlements.resolve(id, to))
    return { index: this.#indexes.get(account) ?? -1, amount, changed }
  }

  balances(): AccountBalance[] {
    this.post()
    return this.#read(() => this.#accounts.balances())
  }

  balance(index: number): AccountBalance {
    this.post()
    return this.#read(() => this.#accounts.balance(this.#row(index)))
  }

  history(query: HistoryQuery): HistoryEntry[] {
    this.post()
    return this.#read(() => this.#transfers.history(query))
  }

  /** Checks the books in slices: between two of them anything else may be done. */
  *selfCheck(): Generator<undefined, SelfCheck> {
    this.post()
    try {
      return yield* this.#check.run()
    } catch (error) {
      throw toLedgerError(error, this.#path)
    }
  }

  close(): void {
    this.#db.close()
  }

  #begin(lockWaitMs: number): number {
    const db = this.#db
    db.exec(`PRAGMA busy_timeout = ${lockWaitMs}`)
    // Held from the first write until the process ends, whatever way: no second process can write these books.
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode
    if (mode !== 'wal')
      throw new LedgerFaultError(`${this.#path} cannot be written ahead (WAL): use a local disk`)
    db.exec('PRAGMA synchronous = FULL')
    db.exec('PRAGMA wal_autocheckpoint = 0')
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    migrate(db)
    // Not UPDATE … RETURNING: its row comes before the commit, whose failure would go unseen.
    db.exec("BEGIN IMMEDIATE; UPDATE meta SET value = value + 1 WHERE key = 'epoch'; COMMIT")
    return Number(db.prepare("SELECT value FROM meta WHERE key = 'epoch'").get()?.value)
  }

  #postLeftovers(): void {
    let batch = this.#journal.after(this.#journaledTo)
    while (batch !== undefined) {
      // Copied, because the columns need an aligned buffer of their own.
      const { buffer } = new Uint8Array(batch.records)
      this.#netting.add(packetColumns(buffer, batch.count), batch.count)
      this.#journaledTo = batch.id
      this.#lastClosedAtMs = batch.closedAtMs
      if (this.shouldPost) this.post()
      batch = this.#journal.after(this.#journaledTo)
    }
    this.post()
  }

  #rowId(index: number): number {
    const id = this.#rowIds[index]
    return id === undefined || id === NO_ACCOUNT ? this.#row(index).id : id
  }

  #rememberId(index: number, id: number): void {
    if (index >= this.#rowIds.length) {
      const grown = new Uint32Array(Math.max(index + 1, this.#rowIds.length * 2))
      grown.set(this.#rowIds)
      this.#rowIds = grown
    }
    this.#rowIds[index] = id
  }

  #row(index: number): AccountRow {
    const row = this.#rows[index]
    if (row === undefined) throw new LedgerFaultError(`ledger account ${index} is not open`)
    return row
  }

  /** One transaction: what waits in the journal is posted, then `work` is done on books that are up to date. */
  #postAnd<T>(work: () => T): T {
    const result = this.#transact(() => {
      if (this.hasUnposted) {
        this.#posting.bookPackets(this.#netting.sums(), this.#lastClosedAtMs)
        this.#journal.setPostedTo(this.#journaledTo)
      }
      return work()
    })
    this.#walPages += PAGES_PER_COMMIT + this.#netting.size / SUMS_PER_PAGE
    this.#netting.clear()
    return result
  }

  #read<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw toLedgerError(error, this.#path)
    }
  }

  #rollBack(): void {
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      this.#accounts.forget()
      this.#transfers.reload()
    } catch (error) {
      throw new BrokenBooksError(`a transaction on ${this.#path} could not be undone`, { cause: error })
    }
  }

  #transact<T>(work: () => T): T {
    try {
      this.#beginStatement.run()
      const result = work()
      this.#commitStatement.run()
      return result
    } catch (error) {
      this.#rollBack()
      throw toLedgerError(error, this.#path)
    }
  }
}

function checkSameAsset(known: AccountRow | undefined, spec: LedgerAccountSpec): void {
  if (known === undefined) return
  if (known.assetCode === spec.assetCode && known.assetScale === spec.assetScale) return
  const has = `${known.assetCode} with scale ${known.assetScale}`
  throw new LedgerFaultError(`account ${spec.id} holds ${has}: open a new account for another asset`)
}
