import type { Transfer } from 'tigerbeetle-node'
import type { HistoryEntry, HistoryQuery } from '../ledger.ts'
import type { AccountDirectory } from './account-directory.ts'
import { BOTH_SIDES_NEWEST_FIRST, PENDING, POST_PENDING, TransferCode, VOID_PENDING } from './codes.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { legOf, resolutionId } from './transfer-ids.ts'

/** Requests for one page: rejected packets of a shared ledger leave transfers that are not shown. */
const REQUESTS_MAX = 200
/** The least that is worth a request. */
const REQUEST_TRANSFERS_MIN = 32
const NS_PER_MS = 1_000_000n

/** Transfers of an account, newest first. A held settlement is one entry, whatever became of it. */
export async function readHistory(
  connection: TigerBeetleConnection,
  directory: AccountDirectory,
  query: HistoryQuery,
): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = []
  await directory.refresh()
  const accountId = directory.idOf(query.accountId)
  if (accountId === undefined) return entries
  let newest = query.before === undefined ? 0n : parseCursor(query.before) - 1n
  if (query.before !== undefined && newest === 0n) return []
  const limit = Math.min(connection.eventsMax, Math.max(REQUEST_TRANSFERS_MIN, query.limit * 2))
  for (let request = 0; request < REQUESTS_MAX && entries.length < query.limit; request++) {
    const transfers = await connection.accountTransfers({
      account_id: accountId,
      timestamp_max: newest,
      limit,
      flags: BOTH_SIDES_NEWEST_FIRST,
    })
    const shown = transfers.filter(isShown)
    const states = await readHeldStates(connection, shown)
    for (const transfer of shown)
      entries.push(toEntry(directory, transfer, states.get(transfer.id) ?? 'posted'))
    const last = transfers.at(-1)
    if (last === undefined || transfers.length < limit || last.timestamp <= 1n) break
    newest = last.timestamp - 1n
  }
  return entries.slice(0, query.limit)
}

function parseCursor(cursor: string): bigint {
  if (!/^[1-9]\d{0,18}$/.test(cursor)) {
    throw new RangeError(`history cursor "${cursor.slice(0, 40)}" is not one that a page before ended with`)
  }
  return BigInt(cursor)
}

/** Pending packets and voided ones moved nothing; a settlement shows as its pending transfer. */
function isShown({ code, flags, amount }: Transfer): boolean {
  if (code === TransferCode.settlementOut) return (flags & PENDING) !== 0
  return amount > 0n && (flags & (PENDING | VOID_PENDING)) === 0
}

async function readHeldStates(
  connection: TigerBeetleConnection,
  transfers: Transfer[],
): Promise<Map<bigint, HistoryEntry['state']>> {
  const held = transfers.filter(({ flags }) => (flags & PENDING) !== 0)
  const states = new Map<bigint, HistoryEntry['state']>(held.map(({ id }) => [id, 'pending']))
  if (held.length === 0) return states
  const ids = held.flatMap(({ id }) => [resolutionId(id, 'post'), resolutionId(id, 'void')])
  for (const { pending_id, flags } of await connection.lookupTransfers(ids)) {
    states.set(pending_id, (flags & POST_PENDING) === 0 ? 'voided' : 'posted')
  }
  return states
}

function toEntry(
  directory: AccountDirectory,
  transfer: Transfer,
  state: HistoryEntry['state'],
): HistoryEntry {
  const kind = kindOf(transfer)
  const credit = directory.accounts.get(transfer.credit_account_id)
  const isSpread = credit?.kind === 'revenue' && legOf(transfer.id) > 0
  return {
    cursor: String(transfer.timestamp),
    id: transfer.id.toString(16).padStart(32, '0'),
    kind,
    debitAccount: directory.nameOf(transfer.debit_account_id),
    creditAccount: directory.nameOf(transfer.credit_account_id),
    amount: transfer.amount,
    packetCount: kind === 'packets' && !isSpread ? 1 : 0,
    state,
    timestampMs: Number(transfer.timestamp / NS_PER_MS),
  }
}

function kindOf({ code }: Transfer): HistoryEntry['kind'] {
  switch (code) {
    case TransferCode.compensation:
      return 'loss'
    case TransferCode.creditLine:
    case TransferCode.lineShortfall:
      return 'credit-line'
    case TransferCode.settlementIn:
      return 'settlement-in'
    case TransferCode.settlementOut:
      return 'settlement-out'
    default:
      return 'packets'
  }
}
