import type { AccountRow, AccountTable } from './account-table.ts'
import type { Posting } from './posting.ts'
import { TransferKind, TransferState } from './transfer-table.ts'

/** What the books know of a peer account. */
export interface ClearingState {
  /** Without the credit line. */
  balance: bigint
  held: bigint
  creditLimit: bigint
}

/** Credit lines: the limit of an account as a transfer LINE -> clearing. Runs inside the caller's transaction. */
export class CreditLine {
  readonly #accounts: AccountTable
  readonly #posting: Posting

  constructor(accounts: AccountTable, posting: Posting) {
    this.#accounts = accounts
    this.#posting = posting
  }

  /** Reads the account's state. */
  state(clearing: AccountRow): ClearingState {
    const sums = this.#accounts.sums(clearing.id)
    const balance = sums.creditsPosted - sums.debitsPosted - this.#extended(clearing)
    return { balance, held: sums.debitsPending, creditLimit: sums.creditLimit }
  }

  /**
   * Raises the line to the limit, or takes back what is not used of the difference; the rest is taken back when the
   * limit is set, or the account opened, the next time.
   */
  setLimit(clearing: AccountRow, limit: bigint, timestampMs: number): void {
    const sums = this.#accounts.sums(clearing.id)
    if (sums.creditLimit !== limit) this.#accounts.update(clearing.id, { ...sums, creditLimit: limit })
    const extended = this.#extended(clearing)
    const line = this.#line(clearing).id
    const kind = TransferKind.creditLine
    const common = { kind, state: TransferState.posted, packetCount: 0, timestampMs }
    if (limit > extended) {
      const amount = limit - extended
      this.#posting.book({ ...common, debit: line, credit: clearing.id, amount })
      return
    }
    const unused = sums.creditsPosted - sums.debitsPosted - sums.debitsPending
    let amount = extended - limit
    if (amount > unused) amount = unused
    if (amount > 0n) this.#posting.book({ ...common, debit: clearing.id, credit: line, amount })
  }

  #extended(clearing: AccountRow): bigint {
    const sums = this.#accounts.sums(this.#line(clearing).id)
    return sums.debitsPosted - sums.creditsPosted
  }

  #line({ name, assetCode, assetScale }: AccountRow): AccountRow {
    return this.#accounts.ensure('line', name, assetCode, assetScale)
  }
}
