import assert from 'node:assert'
import { CreateTransferStatus } from 'tigerbeetle-node'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { type BookAccount, postedBalance } from './account-book.ts'
import { BALANCING_DEBIT, BOTH_SIDES_NEWEST_FIRST, TransferCode } from './codes.ts'
import { newTransfer } from './new-transfer.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { deriveId } from './transfer-ids.ts'

/** Others that change the same limit at the same moment; then we read again and retry. */
const ATTEMPTS_MAX = 10

/** State of an account and its credit line, read together. */
export interface CreditState {
  /** Credits minus debits of the clearing account, without the line. */
  balance: bigint
  debitsPending: bigint
  /** The credit limit that was last set. */
  limit: bigint
  /** Credit extended beyond the limit: it was lowered below what is used, or a packet had to be booked over it. */
  excess: bigint
  /** What the cluster still lets the account spend. */
  room: bigint
  /** Changes with each limit that is set. */
  version: bigint
}

/** Gives a new account its first limit; an account that had one keeps it. */
export async function openCreditLine(
  connection: TigerBeetleConnection,
  namespace: string,
  account: BookAccount,
  limit: bigint,
): Promise<void> {
  const status = await writeLine(connection, namespace, account, { version: 0n, limit, amount: limit })
  if (status === CreateTransferStatus.created || isTaken(status)) return
  throw new LedgerFaultError(`credit line of ${account.id} cannot be opened: ${CreateTransferStatus[status]}`)
}

export async function readCreditState(
  connection: TigerBeetleConnection,
  account: BookAccount,
): Promise<CreditState> {
  // In this order: a limit set in between makes the version old, and a write computed from it is refused.
  const last = await connection.accountTransfers({
    account_id: account.line,
    code: TransferCode.creditLine,
    limit: 1,
    flags: BOTH_SIDES_NEWEST_FIRST,
  })
  const found = await connection.lookupAccounts([account.clearing, account.line])
  const [clearing, line] = found
  if (clearing === undefined || line === undefined || last[0] === undefined) {
    throw new LedgerFaultError(`account ${account.id} is missing in the cluster: was its data file replaced?`)
  }
  const extended = -postedBalance(line)
  const limit = last[0].user_data_128
  return {
    balance: postedBalance(clearing) - extended,
    debitsPending: clearing.debits_pending,
    limit,
    excess: extended - limit,
    room: clearing.credits_posted - clearing.debits_posted - clearing.debits_pending,
    version: last[0].timestamp,
  }
}

/**
 * Sets the credit limit. Lowering takes back at once what is not used; the rest stays as `excess`, to be taken back
 * by calling again when there is room. Each write carries the version it was computed from in its id, so that of
 * two that were computed from the same state one wins and the other is computed anew.
 */
export async function setCreditLine(
  connection: TigerBeetleConnection,
  namespace: string,
  account: BookAccount,
  limit: bigint,
): Promise<CreditState> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const state = await readCreditState(connection, account)
    const extended = state.limit + state.excess
    const isSettled = extended === limit || (extended > limit && state.room <= 0n)
    if (state.limit === limit && isSettled) return state
    const { version } = state
    const status = await writeLine(connection, namespace, account, {
      version,
      limit,
      amount: limit - extended,
    })
    if (status === CreateTransferStatus.created) return await readCreditState(connection, account)
    if (!isTaken(status)) {
      throw new LedgerFaultError(`credit limit of ${account.id} not set: ${CreateTransferStatus[status]}`)
    }
  }
  throw new LedgerUnavailableError(`credit limit of ${account.id} is being changed by others, try again`)
}

/** Takes back credit beyond the limit as far as it is not used now; leaves the limit as it is. */
export async function takeBackExcess(
  connection: TigerBeetleConnection,
  namespace: string,
  account: BookAccount,
): Promise<CreditState> {
  const state = await readCreditState(connection, account)
  const { version, limit, excess } = state
  if (excess <= 0n || state.room <= 0n) return state
  await writeLine(connection, namespace, account, { version, limit, amount: -excess })
  return await readCreditState(connection, account)
}

/** Extends by `amount`, or takes back as much of `-amount` as is not used. */
async function writeLine(
  connection: TigerBeetleConnection,
  namespace: string,
  account: BookAccount,
  change: { version: bigint; limit: bigint; amount: bigint },
): Promise<CreateTransferStatus> {
  const { id } = deriveId(namespace, 'credit-line', account.id, String(change.version))
  const isRaise = change.amount >= 0n
  const transfer = newTransfer({
    id,
    debit_account_id: isRaise ? account.line : account.clearing,
    credit_account_id: isRaise ? account.clearing : account.line,
    amount: isRaise ? change.amount : -change.amount,
    user_data_128: change.limit,
    ledger: account.asset.ledger,
    code: TransferCode.creditLine,
    flags: isRaise ? 0 : BALANCING_DEBIT,
  })
  const [result] = await connection.createTransfers([transfer])
  assert(result !== undefined, 'one answer per transfer')
  return result.status
}

/** The version was used, by us in a call whose answer was lost or by somebody else. */
function isTaken(status: CreateTransferStatus): boolean {
  switch (status) {
    case CreateTransferStatus.exists:
    case CreateTransferStatus.exists_with_different_flags:
    case CreateTransferStatus.exists_with_different_debit_account_id:
    case CreateTransferStatus.exists_with_different_credit_account_id:
    case CreateTransferStatus.exists_with_different_amount:
    case CreateTransferStatus.exists_with_different_user_data_128:
      return true
    default:
      return false
  }
}
