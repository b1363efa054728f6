import assert from 'node:assert'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LedgerFaultError } from '../ledger-store.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Rows deleted per purge: some 10 ms; with two purges a second more than a disk can flush in that time. */
const PURGE_ROWS_MAX = 2_048

/** Packets per start and starts per file that fit into a batch id: 4.4 million million, and 2 million. */
const SEQUENCE_BITS = 42n
const EPOCH_MAX = 2 ** 21 - 1

export interface JournalBatch {
  id: bigint
  count: number
  closedAtMs: number
  records: Uint8Array
}

/** The `batches` table: the packets as they were flushed, kept as detail for a number of days. */
export class BatchJournal {
  readonly #epoch: bigint
  readonly #packetDetailDays: number
  readonly #insert: StatementSync
  readonly #selectRecords: StatementSync
  readonly #selectAfter: StatementSync
  readonly #postedTo: StatementSync
  readonly #setPostedTo: StatementSync
  readonly #countProbe: StatementSync
  readonly #oldest: StatementSync
  readonly #delete: StatementSync

  constructor(db: DatabaseSync, options: { epoch: number; packetDetailDays: number }) {
    assert(options.epoch <= EPOCH_MAX, 'the ledger file was opened too often')
    this.#epoch = BigInt(options.epoch) << SEQUENCE_BITS
    this.#packetDetailDays = options.packetDetailDays
    // Ids do not fit into doubles.
    const prepare = (sql: string): StatementSync => {
      const statement = db.prepare(sql)
      statement.setReadBigInts(true)
      return statement
    }
    this.#insert = prepare('INSERT INTO batches (id, count, closed_at_ms, records) VALUES (?, ?, ?, ?)')
    this.#selectRecords = prepare('SELECT records FROM batches WHERE id = ?')
    this.#selectAfter = prepare('SELECT * FROM batches WHERE id > ? ORDER BY id LIMIT 1')
    this.#postedTo = prepare("SELECT value FROM meta WHERE key = 'posted_to'")
    this.#setPostedTo = prepare("UPDATE meta SET value = ? WHERE key = 'posted_to'")
    this.#countProbe = prepare(
      "INSERT INTO meta VALUES ('probes', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1",
    )
    this.#oldest = prepare(
      `SELECT id, closed_at_ms FROM batches WHERE id <= ? ORDER BY id LIMIT ${PURGE_ROWS_MAX}`,
    )
    this.#delete = prepare('DELETE FROM batches WHERE id <= ?')
  }

  /** Writes a batch and returns its id. */
  add(firstSequence: number, batch: Omit<JournalBatch, 'id'>): bigint {
    const { count, closedAtMs, records } = batch
    const id = this.#epoch | BigInt(firstSequence)
    this.#insert.run(id, count, closedAtMs, records)
    return id
  }

  /** @throws LedgerFaultError when the batch that was booked under the same key had other contents */
  checkRepeat(firstSequence: number, records: Uint8Array): void {
    const booked = this.#selectRecords.get(this.#epoch | BigInt(firstSequence))?.records
    // Detail that was purged cannot be compared; its packets are booked all the same.
    if (!(booked instanceof Uint8Array)) return
    if (Buffer.compare(booked, records) !== 0) {
      throw new LedgerFaultError(
        `the batch at ${firstSequence} was booked before with other contents: nothing was changed`,
      )
    }
  }

  /** Id of the last batch whose packets are in the transfers. */
  postedTo(): bigint {
    return this.#postedTo.get()!.value as bigint
  }

  /** Changes a value, because SQLite does not write one that stays the same. */
  countProbe(): void {
    this.#countProbe.run()
  }

  setPostedTo(id: bigint): void {
    this.#setPostedTo.run(id)
  }

  /** The next batch after `id`. */
  after(id: bigint): JournalBatch | undefined {
    const row = this.#selectAfter.get(id)
    if (row === undefined) return undefined
    return {
      id: row.id as bigint,
      count: Number(row.count),
      closedAtMs: Number(row.closed_at_ms),
      records: row.records as Uint8Array,
    }
  }

  /** Deletes detail that is old enough, up to a bounded number of batches. Whether there may be more. */
  purge(nowMs: number): boolean {
    const keepFromMs = nowMs - this.#packetDetailDays * DAY_MS
    let last = 0n
    let count = 0
    for (const row of this.#oldest.iterate(this.postedTo())) {
      if (Number(row.closed_at_ms) > keepFromMs) break
      last = row.id as bigint
      count++
    }
    if (count > 0) this.#delete.run(last)
    return count === PURGE_ROWS_MAX
  }
}
