import assert from 'node:assert'
import type { Transfer } from 'tigerbeetle-node'
import { amount_max, CreateTransferStatus } from 'tigerbeetle-node'
import type { SettlementOutcome } from '../ledger-store.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import type { AccountBook, BookAccount } from './account-book.ts'
import { PENDING, POST_PENDING, TransferCode, VOID_PENDING } from './codes.ts'
import { newTransfer } from './new-transfer.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { type DerivedId, deriveId, resolutionId } from './transfer-ids.ts'

/** The cluster never takes an id again that it refused for want of credit; so many refusals a hold may meet. */
const HOLD_ATTEMPTS_MAX = 32

const Status = CreateTransferStatus

/** Money to be held for a peer. */
export interface HoldRequest {
  id: string
  account: BookAccount
  engine: string
  amount: bigint
  /** False: the account has no room for it; what is held already is found all the same. */
  isNewTaken: boolean
}

/** Settlements in the cluster: one transfer in, a pending one and its resolution out. Ids follow from the caller's. */
export class SettlementBook {
  readonly #connection: TigerBeetleConnection
  readonly #accounts: AccountBook
  readonly #namespace: string

  constructor(connection: TigerBeetleConnection, accounts: AccountBook, namespace: string) {
    this.#connection = connection
    this.#accounts = accounts
    this.#namespace = namespace
  }

  /** False when it was booked before. */
  async settleIn(id: string, account: BookAccount, engine: string, amount: bigint): Promise<boolean> {
    const settlement = await this.#accounts.settlementAccount(account.asset, engine)
    const key = deriveId(this.#namespace, 'settlement-in', id)
    const status = await this.#write({
      id: key.id,
      debit_account_id: settlement,
      credit_account_id: account.clearing,
      amount,
      user_data_128: key.check,
      ledger: account.asset.ledger,
      code: TransferCode.settlementIn,
    })
    if (status === Status.created) return true
    if (status === Status.exists) return false
    throw contradiction('settlement in', id, status)
  }

  /**
   * @throws LedgerFaultError when the id was used with other fields, or the account has no room for the amount now:
   * then nothing is held, and the same call may be made again later
   */
  async hold({ account, amount, engine, id, isNewTaken }: HoldRequest): Promise<void> {
    if (!isNewTaken && (await this.#lookUpHold(id)) === undefined) throw tooMuch(id, account, amount)
    const settlement = await this.#accounts.settlementAccount(account.asset, engine)
    for (let attempt = 0; attempt < HOLD_ATTEMPTS_MAX; attempt++) {
      const key = this.#holdKey(id, attempt)
      const status = await this.#write({
        id: key.id,
        debit_account_id: account.clearing,
        credit_account_id: settlement,
        amount,
        user_data_128: key.check,
        ledger: account.asset.ledger,
        code: TransferCode.settlementOut,
        flags: PENDING,
      })
      if (status === Status.created || status === Status.exists) return
      if (status === Status.exceeds_credits) throw tooMuch(id, account, amount)
      if (status !== Status.id_already_failed) throw contradiction('settlement', id, status)
    }
    throw new LedgerFaultError(`settlement ${id} was refused ${HOLD_ATTEMPTS_MAX} times: use a new id`)
  }

  /** Posts or voids what is held. */
  async resolve(id: string, how: 'post' | 'void'): Promise<SettlementOutcome> {
    const held = await this.#findHold(id)
    const status = await this.#write({
      id: resolutionId(held.id, how),
      pending_id: held.id,
      amount: how === 'post' ? amount_max : 0n,
      flags: how === 'post' ? POST_PENDING : VOID_PENDING,
    })
    if (status !== Status.created && status !== Status.exists) throw contradiction('settlement', id, status)
    const index = this.#accounts.byClearing(held.debit_account_id)?.index ?? -1
    return { index, amount: held.amount, changed: status === Status.created }
  }

  async #findHold(id: string): Promise<Transfer> {
    const held = await this.#lookUpHold(id)
    if (held === undefined) throw new LedgerFaultError(`settlement ${id} was never held`)
    return held
  }

  async #lookUpHold(id: string): Promise<Transfer | undefined> {
    const keys = Array.from({ length: HOLD_ATTEMPTS_MAX }, (_, attempt) => this.#holdKey(id, attempt))
    const [held] = await this.#connection.lookupTransfers(keys.map((key) => key.id))
    if (held === undefined) return undefined
    const key = keys.find((candidate) => candidate.id === held.id)
    if (held.user_data_128 !== key?.check)
      throw new LedgerFaultError(`settlement ${id} meets an id of another`)
    return held
  }

  #holdKey(id: string, attempt: number): DerivedId {
    return deriveId(this.#namespace, 'settlement-out', id, String(attempt))
  }

  async #write(fields: Partial<Transfer> & Pick<Transfer, 'id'>): Promise<CreateTransferStatus> {
    const [result] = await this.#connection.createTransfers([newTransfer(fields)])
    assert(result !== undefined, 'one answer per transfer')
    return result.status
  }
}

function tooMuch(id: string, account: BookAccount, amount: bigint): LedgerFaultError {
  return new LedgerFaultError(
    `settlement ${id} of ${amount} is more than ${account.id} has (balance and credit less packets in flight); nothing is held`,
  )
}

function contradiction(what: string, id: string, status: CreateTransferStatus): LedgerFaultError {
  return new LedgerFaultError(`${what} ${id} contradicts what is booked under that id: ${Status[status]}`)
}
