import assert from 'node:assert'
import { toAmount } from '../../ilp/amount.ts'
import type { Logger } from '../../lib/logger.ts'
import type { LedgerAccount, LedgerAccountSpec } from '../ledger.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import { type AccountBook, postedBalance } from './account-book.ts'
import { openCreditLine, readCreditState, setCreditLine, takeBackExcess } from './credit-line.ts'
import { SharedAccount } from './shared-account.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'

/** More accounts than any configuration allows. */
const ACCOUNTS_MAX = 250_000
/** Accounts whose surplus credit is taken back in one round. */
const TAKE_BACK_MAX = 16

export interface SharedAccountsDeps {
  connection: TigerBeetleConnection
  book: AccountBook
  namespace: string
  logger: Logger
}

/** The open accounts of a shared ledger, and what is known of them. */
export class SharedAccounts {
  readonly #deps: SharedAccountsDeps
  readonly #byIndex: SharedAccount[] = []
  readonly #byId = new Map<string, SharedAccount>()
  readonly #indexes = new Map<string, number>()
  readonly #opening = new Map<string, Promise<SharedAccount>>()
  #nextRefresh = 0

  constructor(deps: SharedAccountsDeps) {
    this.#deps = deps
  }

  at(index: number): SharedAccount {
    const account = this.#byIndex[index]
    assert(account !== undefined, 'account is not open')
    return account
  }

  own(account: LedgerAccount): SharedAccount {
    assert(account instanceof SharedAccount, 'account of another ledger')
    return account
  }

  async open(spec: LedgerAccountSpec): Promise<SharedAccount> {
    const known = this.#byId.get(spec.id)
    if (known !== undefined) return known
    const opening = this.#opening.get(spec.id)
    if (opening !== undefined) return await opening
    const started = this.#open(spec).finally(() => this.#opening.delete(spec.id))
    this.#opening.set(spec.id, started)
    return await started
  }

  /** Lowering holds from now on, whatever becomes of the call; raising only once it is booked. */
  async setCreditLimit(account: SharedAccount, limit: bigint): Promise<void> {
    const version = ++account.limitVersion
    if (limit < account.creditLimit) account.creditLimit = toAmount(limit)
    const { connection, namespace } = this.#deps
    const state = await setCreditLine(connection, namespace, account.book, limit)
    account.extended = state.limit + state.excess
    if (version === account.limitVersion) account.creditLimit = toAmount(limit)
  }

  /** The accounts whose turn it is: as many as one request reads, all of them in turn. */
  nextToRefresh(): SharedAccount[] {
    const count = Math.min(this.#byIndex.length, Math.floor(this.#deps.connection.eventsMax / 2))
    const accounts: SharedAccount[] = []
    for (let at = 0; at < count; at++) {
      const account = this.#byIndex[(this.#nextRefresh + at) % this.#byIndex.length]
      if (account !== undefined) accounts.push(account)
    }
    this.#nextRefresh += count
    return accounts
  }

  /** Reads balances anew; only while no request of packets is under way. Returns accounts whose line has changed. */
  async refresh(accounts: SharedAccount[]): Promise<SharedAccount[]> {
    if (accounts.length === 0) {
      await this.#deps.connection.probe()
      return []
    }
    const ids = accounts.flatMap(({ book }) => [book.clearing, book.line])
    const found = new Map((await this.#deps.connection.lookupAccounts(ids)).map((entry) => [entry.id, entry]))
    return accounts.filter((account) => {
      const clearing = found.get(account.book.clearing)
      const line = found.get(account.book.line)
      if (clearing === undefined || line === undefined) {
        throw new LedgerFaultError(
          `account ${account.id} is missing in the cluster: was its data file replaced?`,
        )
      }
      const extended = -postedBalance(line)
      account.takeOver(postedBalance(clearing) - extended, clearing.debits_pending)
      const isChanged = extended !== account.extended
      account.extended = extended
      return isChanged
    })
  }

  /** Learns limits that other processes set, and takes back credit beyond a limit as far as it is not used. */
  async followLimits(changed: SharedAccount[], refreshed: SharedAccount[]): Promise<void> {
    const { connection, namespace } = this.#deps
    for (const account of changed) {
      const version = account.limitVersion
      const { limit } = await readCreditState(connection, account.book)
      if (version === account.limitVersion) account.creditLimit = toAmount(limit)
    }
    const over = refreshed.filter(({ extended, creditLimit }) => extended > creditLimit)
    for (const account of over.slice(0, TAKE_BACK_MAX)) {
      const state = await takeBackExcess(connection, namespace, account.book)
      account.extended = state.limit + state.excess
    }
  }

  async #open(spec: LedgerAccountSpec): Promise<SharedAccount> {
    const { connection, namespace, book } = this.#deps
    const index = this.#indexes.get(spec.id) ?? this.#indexes.size
    if (index >= ACCOUNTS_MAX) throw new LedgerFaultError(`more than ${ACCOUNTS_MAX} ledger accounts`)
    this.#indexes.set(spec.id, index)
    const opened = await book.open(spec, index)
    await openCreditLine(connection, namespace, opened, spec.creditLimit)
    const account = new SharedAccount(opened, spec, await readCreditState(connection, opened))
    this.#byIndex[index] = account
    this.#byId.set(spec.id, account)
    return account
  }
}
