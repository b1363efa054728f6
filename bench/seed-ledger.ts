import assert from 'node:assert'
import { PAIRS_MAX, packetColumns, recordsLength } from '../src/ledger/sqlite/packet-netting.ts'
import { SqliteBooks } from '../src/ledger/sqlite/sqlite-books.ts'

/** So many accounts make 992 pairs: as many as the books sum up one by one, so that a posting writes that many transfers. */
const ACCOUNTS = 32
const PAIRS = ACCOUNTS * (ACCOUNTS - 1)
const DAY_MS = 24 * 60 * 60 * 1_000
/** The history ends a day ago and began so long before: all of it younger than the detail that the node keeps. */
const HISTORY_MS = 20 * DAY_MS
const AMOUNT_MAX = 1_000_000
const CREDIT_LIMIT = 2n ** 52n

export interface SeedLedgerOptions {
  /** The ledger file to make. */
  path: string
  /** Packets in the journal, and as many transfers in the books. */
  packets: number
  asset: { code: string; scale: number }
  /** Accounts that are to have a part of the history; the others are made up. At most 32. */
  accountIds: readonly string[]
}

/**
 * Writes a ledger file as a node with 32 busy accounts would have left it: through the code that the node itself
 * books with. Packets go from each account to each other one in turn, so that no two of them meet in one transfer.
 */
export function seedLedger({ path, packets, asset, accountIds }: SeedLedgerOptions): void {
  assert(PAIRS <= PAIRS_MAX, 'no two packets of a posting are summed into one transfer')
  const books = new SqliteBooks({ path, packetDetailDays: 30, lockWaitMs: 1_000 })
  const endsAtMs = Date.now() - DAY_MS
  const timeOf = (packet: number) => Math.floor(endsAtMs - HISTORY_MS * (1 - packet / packets))
  for (let index = 0; index < ACCOUNTS; index++) {
    const id = accountIds[index] ?? `past${index}`
    const spec = { id, assetCode: asset.code, assetScale: asset.scale, payableLimit: undefined }
    books.openAccount({ ...spec, creditLimit: CREDIT_LIMIT }, index, timeOf(0))
  }
  for (let from = 0; from < packets; from += PAIRS) {
    const count = Math.min(PAIRS, packets - from)
    const buffer = batchOf(from, count)
    books.journal({ firstSequence: from, count, closedAtMs: timeOf(from), buffer })
    books.post()
    books.checkpointWhenDue()
  }
  books.close()
}

function batchOf(from: number, count: number): ArrayBuffer {
  const buffer = new ArrayBuffer(recordsLength(count))
  const { inWords, outWords, payer, payee } = packetColumns(buffer, count)
  for (let at = 0; at < count; at++) {
    const pair = (from + at) % PAIRS
    payer[at] = pair % ACCOUNTS
    payee[at] = (pair + 1 + Math.floor(pair / ACCOUNTS)) % ACCOUNTS
    const amount = 1 + ((from + at) % AMOUNT_MAX)
    inWords[at * 2] = amount
    outWords[at * 2] = amount
  }
  return buffer
}
