import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Bytes of one packet in `batches.records`: see `src/ledger/sqlite/sqlite-schema.ts`. */
const RECORD_BYTES = 25
/** A batch's id is its epoch, then this many bits for the sequence of its first packet. */
const SEQUENCE_BITS = 42n

export interface JournalRecord {
  payer: string
  /** Empty for a compensation. */
  payee: string
  inAmount: bigint
  outAmount: bigint
  compensation: boolean
}

export interface JournalBatch {
  id: bigint
  epoch: bigint
  firstSequence: number
  records: JournalRecord[]
}

/**
 * Reads the packets that a ledger file holds, as an outsider would: from a copy, because the node alone may recover
 * and write the original. Nobody may have the file open.
 * @param afterId batches up to this id are left out
 */
export function readLedgerJournal(dataDirectory: string, afterId = 0n): JournalBatch[] {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-journal-'))
  try {
    const path = join(directory, 'ledger.sqlite')
    for (const suffix of ['', '-wal']) {
      const from = join(dataDirectory, `ledger.sqlite${suffix}`)
      if (existsSync(from)) copyFileSync(from, path + suffix)
    }
    return read(path, afterId)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function read(path: string, afterId: bigint): JournalBatch[] {
  const db = new DatabaseSync(path)
  try {
    const integrity = db.prepare('PRAGMA quick_check').get()?.quick_check
    if (integrity !== 'ok') throw new Error(`the ledger file is damaged: ${String(integrity)}`)
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'batches'").get() === undefined) return []
    const names = new Map<number, string>()
    for (const { id, name } of db.prepare('SELECT id, name FROM accounts').all()) {
      names.set(Number(id), String(name))
    }
    const batches = db.prepare('SELECT id, count, records FROM batches WHERE id > ? ORDER BY id')
    batches.setReadBigInts(true)
    return batches.all(afterId).map((row) => {
      const id = row.id as bigint
      const records = parseRecords(row.records as Uint8Array, Number(row.count), names)
      const sequence = BigInt.asUintN(Number(SEQUENCE_BITS), id)
      return { id, epoch: id >> SEQUENCE_BITS, firstSequence: Number(sequence), records }
    })
  } finally {
    db.close()
  }
}

/** Columns, little endian: in amounts, out amounts, payers, payees, kinds. */
function parseRecords(bytes: Uint8Array, count: number, names: Map<number, string>): JournalRecord[] {
  if (bytes.length !== count * RECORD_BYTES) throw new Error('a batch is not as long as its packets')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: count }, (_, at) => ({
    inAmount: view.getBigUint64(at * 8, true),
    outAmount: view.getBigUint64(count * 8 + at * 8, true),
    payer: names.get(view.getUint32(count * 16 + at * 4, true)) ?? '',
    payee: names.get(view.getUint32(count * 20 + at * 4, true)) ?? '',
    compensation: view.getUint8(count * 24 + at) === 1,
  }))
}
