import { toAmount } from '../../ilp/amount.ts'
import type { SettlementEntry } from '../ledger.ts'
import { LedgerUnavailableError } from '../ledger-store.ts'
import type { SettlementBook } from './settlement-book.ts'
import type { SharedAccount } from './shared-account.ts'
import type { SharedAccounts } from './shared-accounts.ts'

/** Holds whose outcome is unknown at the same time; above it new ones are refused until the cluster answers again. */
const UNKNOWN_HOLDS_MAX = 10_000

/**
 * Settlements of a shared ledger. After each call the account is read anew, so that a repeated call counts once. A
 * hold whose outcome is unknown counts as held in this process until the same id is answered.
 */
export class SharedSettlements {
  readonly #book: SettlementBook
  readonly #accounts: SharedAccounts
  readonly #refresh: (account: SharedAccount) => Promise<void>
  readonly #unknown = new Map<string, { account: SharedAccount; amount: bigint }>()

  constructor(deps: {
    book: SettlementBook
    accounts: SharedAccounts
    refresh(account: SharedAccount): Promise<void>
  }) {
    this.#book = deps.book
    this.#accounts = deps.accounts
    this.#refresh = deps.refresh
  }

  async settleIn({ id, account, engine, amount }: SettlementEntry): Promise<boolean> {
    const own = this.#accounts.own(account)
    const isNew = await this.#book.settleIn(id, own.book, engine, amount)
    await this.#refresh(own)
    return isNew
  }

  async hold({ id, account, engine, amount }: SettlementEntry): Promise<void> {
    if (this.#unknown.size >= UNKNOWN_HOLDS_MAX) {
      throw new LedgerUnavailableError(`${UNKNOWN_HOLDS_MAX} settlements wait for the ledger already`)
    }
    const own = this.#accounts.own(account)
    try {
      // Where the cluster would let pass what must not; one whose outcome is unknown counts against itself.
      const isNewTaken = this.#unknown.has(id) || own.canSpend(toAmount(amount))
      await this.#book.hold({ id, account: own.book, engine, amount, isNewTaken })
      this.#answered(id)
    } catch (error) {
      if (error instanceof LedgerUnavailableError) this.#count(id, own, amount)
      else this.#answered(id)
      throw error
    }
    await this.#refresh(own)
  }

  async resolve(id: string, how: 'post' | 'void'): Promise<void> {
    const { index } = await this.#book.resolve(id, how).catch((error: unknown) => {
      // The cluster has answered: a hold that it does not know is not to come any more.
      if (!(error instanceof LedgerUnavailableError)) this.#answered(id)
      throw error
    })
    this.#answered(id)
    // A peer that was taken out: nobody spends from its account here.
    if (index >= 0) await this.#refresh(this.#accounts.at(index))
  }

  #count(id: string, account: SharedAccount, amount: bigint): void {
    if (this.#unknown.has(id)) return
    this.#unknown.set(id, { account, amount })
    account.unknownHolds = toAmount(BigInt(account.unknownHolds) + amount)
  }

  #answered(id: string): void {
    const hold = this.#unknown.get(id)
    if (hold === undefined) return
    this.#unknown.delete(id)
    hold.account.unknownHolds = toAmount(BigInt(hold.account.unknownHolds) - hold.amount)
  }
}
