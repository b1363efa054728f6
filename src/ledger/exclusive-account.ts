import { type Amount, add, subtract, toAmount } from '../ilp/amount.ts'
import type { LedgerAccount, LedgerAccountSpec } from './ledger.ts'
import type { StoredAccount } from './ledger-store.ts'

/**
 * One account in the memory of the process that owns it. `balance` is what is durably booked; packets between
 * reservation and durable booking stand in `reserved` and `outgoing`.
 */
export class ExclusiveAccount implements LedgerAccount {
  readonly id: string
  readonly assetCode: string
  readonly assetScale: number
  readonly index: number
  /** Equal for accounts of the same asset (code and scale). */
  readonly assetIndex: number
  balance: Amount
  reserved: Amount = 0
  outgoing: Amount = 0
  /** Outgoing settlements that may be held in the books: cannot be spent. */
  held: Amount
  creditLimit: Amount
  /** Undefined: no limit. */
  payableLimit: Amount | undefined
  /** Counts calls of `setCreditLimit`, so that only the last one takes effect. */
  limitVersion = 0
  #heldStored: Amount
  #heldUnconfirmed: Amount = 0

  constructor(spec: LedgerAccountSpec, place: { index: number; assetIndex: number }, stored: StoredAccount) {
    this.id = spec.id
    this.assetCode = spec.assetCode
    this.assetScale = spec.assetScale
    this.index = place.index
    this.assetIndex = place.assetIndex
    this.balance = toAmount(stored.balance)
    this.held = this.#heldStored = toAmount(stored.held)
    this.creditLimit = toAmount(stored.creditLimit)
    this.payableLimit = spec.payableLimit === undefined ? undefined : toAmount(spec.payableLimit)
  }

  /** Whether the peer may send `amount` more without its balance passing below minus the credit limit. */
  canSpend(amount: Amount): boolean {
    const after = subtract(subtract(subtract(this.balance, this.reserved), this.held), amount)
    return after >= -this.creditLimit
  }

  /** Whether we may come to owe the peer `amount` more. Held settlements count until they are posted. */
  canOwe(amount: Amount): boolean {
    if (this.payableLimit === undefined) return true
    return add(add(this.balance, this.outgoing), amount) <= this.payableLimit
  }

  /** Counts a hold whose booking is under way or whose outcome is unknown; a negative amount takes it back. */
  countUnconfirmedHold(amount: bigint): void {
    this.#heldUnconfirmed = toAmount(BigInt(this.#heldUnconfirmed) + amount)
    this.held = add(this.#heldStored, this.#heldUnconfirmed)
  }

  /** Takes over what the books say; allowed only while no batch is under way. */
  takeOver(stored: StoredAccount): void {
    this.balance = toAmount(stored.balance)
    this.#heldStored = toAmount(stored.held)
    this.held = add(this.#heldStored, this.#heldUnconfirmed)
  }

  /** What the store needs to find the account again. */
  toSpec(): LedgerAccountSpec {
    return {
      id: this.id,
      assetCode: this.assetCode,
      assetScale: this.assetScale,
      creditLimit: BigInt(this.creditLimit),
      payableLimit: this.payableLimit === undefined ? undefined : BigInt(this.payableLimit),
    }
  }
}
