import { type Amount, add, subtract, toAmount } from '../../ilp/amount.ts'
import type { LedgerAccount, LedgerAccountSpec } from '../ledger.ts'
import type { BookAccount } from './account-book.ts'
import type { CreditState } from './credit-line.ts'

/**
 * An account that other processes write too. What is known here is at most one probe old; the cluster decides about
 * credit. `reserved` and `outgoing` are packets of this process.
 */
export class SharedAccount implements LedgerAccount {
  readonly book: BookAccount
  readonly assetCode: string
  readonly assetScale: number
  balance: Amount = 0
  reserved: Amount = 0
  outgoing: Amount = 0
  creditLimit: Amount = 0
  /** Undefined: no limit. */
  payableLimit: Amount | undefined
  /** Counts calls of `setCreditLimit`, so that only the last one takes effect. */
  limitVersion = 0
  /** Credit that the cluster extends, when last read. */
  extended = 0n
  /** What of `reserved` is pending in the cluster. */
  pending: Amount = 0
  /** Sum of settlements that may be held in the cluster: nobody knows. */
  unknownHolds: Amount = 0
  /** Pending in the cluster and not ours: settlements held, packets of other processes. */
  #held: Amount = 0

  constructor(book: BookAccount, spec: LedgerAccountSpec, state: CreditState) {
    this.book = book
    this.assetCode = spec.assetCode
    this.assetScale = spec.assetScale
    this.payableLimit = spec.payableLimit === undefined ? undefined : toAmount(spec.payableLimit)
    this.creditLimit = toAmount(state.limit)
    this.extended = state.limit + state.excess
    this.takeOver(state.balance, state.debitsPending)
  }

  get id(): string {
    return this.book.id
  }

  get index(): number {
    return this.book.index
  }

  /** Takes over what the cluster says; allowed only while no batch is under way. */
  takeOver(balance: bigint, debitsPending: bigint): void {
    this.balance = toAmount(balance)
    this.#held = toAmount(debitsPending - BigInt(this.pending))
  }

  /**
   * False where the cluster would let through what must not pass: it extends more credit than the limit after that
   * was lowered below what is used, until the rest can be taken back; or a settlement may yet be held.
   */
  canSpend(amount: Amount): boolean {
    if (this.extended <= this.creditLimit && this.unknownHolds === 0) return true
    return this.hasRoom(amount)
  }

  /** Whether the limit has room for `amount`, as far as is known here. */
  hasRoom(amount: Amount): boolean {
    const setAside = add(add(this.reserved, this.#held), this.unknownHolds)
    return subtract(subtract(this.balance, setAside), amount) >= -this.creditLimit
  }

  /** Whether we may come to owe the peer `amount` more, by the balance as last known. */
  canOwe(amount: Amount): boolean {
    if (this.payableLimit === undefined) return true
    return add(add(this.balance, this.outgoing), amount) <= this.payableLimit
  }
}
