import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { packetColumns, recordsLength } from '../../../../src/ledger/sqlite/packet-netting.ts'
import { type RecordBatch, SqliteBooks } from '../../../../src/ledger/sqlite/sqlite-books.ts'

export const USD = { assetCode: 'USD', assetScale: 2, creditLimit: 0n, payableLimit: undefined }

export interface BooksScene {
  path: string
  /** Opens the file; alice, bob and xena (another asset) have the indexes 0, 1 and 2. */
  open(packetDetailDays?: number): SqliteBooks
}

/** A directory of its own for each test, and books that are closed after it. */
export function useBooks(): BooksScene {
  const opened: SqliteBooks[] = []
  const directories: string[] = []
  afterEach(() => {
    for (const books of opened.splice(0)) {
      try {
        books.close()
      } catch {
        // Closed by the test.
      }
    }
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
  })
  return {
    get path() {
      let directory = directories[0]
      if (directory === undefined) {
        directory = mkdtempSync(join(tmpdir(), 'causeway-books-'))
        directories.push(directory)
      }
      return join(directory, 'ledger.db')
    },
    open(packetDetailDays = 30) {
      const books = new SqliteBooks({ path: this.path, packetDetailDays, lockWaitMs: 10 })
      opened.push(books)
      books.openAccount({ ...USD, id: 'alice' }, 0, 1)
      books.openAccount({ ...USD, id: 'bob' }, 1, 1)
      books.openAccount({ ...USD, id: 'xena', assetCode: 'XRP', assetScale: 6 }, 2, 1)
      return books
    },
  }
}

export interface RecordSpec {
  payer?: number
  payee?: number
  in?: bigint
  out?: bigint
  kind?: number
}

/** A batch as it crosses to the worker. */
export function recordBatch(firstSequence: number, records: RecordSpec[], closedAtMs = 1_000): RecordBatch {
  const count = records.length
  const buffer = new ArrayBuffer(recordsLength(count) + 64)
  const columns = packetColumns(buffer, count)
  const inAmounts = new BigUint64Array(buffer, 0, count)
  const outAmounts = new BigUint64Array(buffer, count * 8, count)
  for (const [at, record] of records.entries()) {
    columns.payer[at] = record.payer ?? 0
    columns.payee[at] = record.payee ?? 1
    inAmounts[at] = record.in ?? 10n
    outAmounts[at] = record.out ?? 9n
    columns.kind[at] = record.kind ?? 0
  }
  return { firstSequence, count, closedAtMs, buffer }
}

/** Balance of the account of that kind and id; undefined when there is none. */
export function balanceOf(books: SqliteBooks, id: string, kind = 'clearing'): bigint | undefined {
  return books.balances().find((account) => account.id === id && account.kind === kind)?.balance
}
