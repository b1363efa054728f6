import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LedgerFaultError } from '../ledger-store.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Rows looked at per purge, so that it never takes long; called often enough to keep up with any load. */
const PURGE_ROWS_MAX = 512

export interface JournalBatch {
  id: number
  count: number
  closedAtMs: number
  records: Uint8Array
}

/** The `batches` table: the packets as they were flushed, kept as detail for a number of days. */
export class BatchJournal {
  readonly #epoch: number
  readonly #packetDetailDays: number
  readonly #insert: StatementSync
  readonly #selectSame: StatementSync
  readonly #selectAfter: StatementSync
  readonly #postedTo: StatementSync
  readonly #setPostedTo: StatementSync
  readonly #oldest: StatementSync
  readonly #delete: StatementSync

  constructor(db: DatabaseSync, options: { epoch: number; packetDetailDays: number }) {
    this.#epoch = options.epoch
    this.#packetDetailDays = options.packetDetailDays
    this.#insert = db.prepare(
      'INSERT INTO batches (epoch, first_sequence, count, closed_at_ms, records) VALUES (?, ?, ?, ?, ?)',
    )
    this.#selectSame = db.prepare('SELECT records FROM batches WHERE epoch = ? AND first_sequence = ?')
    this.#selectAfter = db.prepare(
      'SELECT id, count, closed_at_ms, records FROM batches WHERE id > ? ORDER BY id LIMIT 1',
    )
    this.#postedTo = db.prepare("SELECT value FROM meta WHERE key = 'posted_to'")
    this.#setPostedTo = db.prepare("UPDATE meta SET value = ? WHERE key = 'posted_to'")
    this.#oldest = db.prepare(
      `SELECT id, closed_at_ms FROM batches WHERE id <= ? ORDER BY id LIMIT ${PURGE_ROWS_MAX}`,
    )
    this.#delete = db.prepare('DELETE FROM batches WHERE id <= ?')
  }

  /** Writes a batch and returns its id. */
  add(firstSequence: number, batch: Omit<JournalBatch, 'id'>): number {
    const { count, closedAtMs, records } = batch
    const { lastInsertRowid } = this.#insert.run(this.#epoch, firstSequence, count, closedAtMs, records)
    return Number(lastInsertRowid)
  }

  /** @throws LedgerFaultError when the batch that was booked under the same key had other contents */
  checkRepeat(firstSequence: number, records: Uint8Array): void {
    const booked = this.#selectSame.get(this.#epoch, firstSequence)?.records
    // Detail that was purged cannot be compared; its packets are booked all the same.
    if (!(booked instanceof Uint8Array)) return
    if (Buffer.compare(booked, records) !== 0) {
      throw new LedgerFaultError(
        `batch ${this.#epoch}/${firstSequence} was booked before with other contents: nothing was changed`,
      )
    }
  }

  /** Id of the last batch whose packets are in the transfers. */
  postedTo(): number {
    return Number(this.#postedTo.get()?.value)
  }

  setPostedTo(id: number): void {
    this.#setPostedTo.run(id)
  }

  /** The next batch after `id`. */
  after(id: number): JournalBatch | undefined {
    const row = this.#selectAfter.get(id)
    if (row === undefined) return undefined
    return {
      id: Number(row.id),
      count: Number(row.count),
      closedAtMs: Number(row.closed_at_ms),
      records: row.records as Uint8Array,
    }
  }

  /** Deletes detail that is old enough, up to a bounded number of batches. Whether there may be more. */
  purge(nowMs: number): boolean {
    const keepFromMs = nowMs - this.#packetDetailDays * DAY_MS
    let last = 0
    let count = 0
    for (const row of this.#oldest.all(this.postedTo())) {
      if (Number(row.closed_at_ms) > keepFromMs) break
      last = Number(row.id)
      count++
    }
    if (count > 0) this.#delete.run(last)
    return count === PURGE_ROWS_MAX
  }
}
