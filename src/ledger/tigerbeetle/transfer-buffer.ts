import assert from 'node:assert'
import type { Transfer } from 'tigerbeetle-node'
import { LINKED } from './codes.ts'
import { newTransfer } from './new-transfer.ts'

/** Transfers of one request, in objects that are used again: the client copies them when they are submitted. */
export class TransferBuffer {
  readonly #pool: Transfer[] = []
  #count = 0
  #chainStart = 0

  get count(): number {
    return this.#count
  }

  clear(): void {
    this.#count = 0
    this.#chainStart = 0
  }

  /** Adds a transfer to the open chain; fields that are not arguments are empty until the caller sets them. */
  add(id: bigint, debitId: bigint, creditId: bigint, amount: bigint, ledger: number, code: number): Transfer {
    if (this.#count === this.#pool.length) this.#pool.push(newTransfer({ id: 0n }))
    const transfer = this.#pool[this.#count++]!
    transfer.id = id
    transfer.debit_account_id = debitId
    transfer.credit_account_id = creditId
    transfer.amount = amount
    transfer.pending_id = 0n
    transfer.user_data_128 = 0n
    transfer.timeout = 0
    transfer.ledger = ledger
    transfer.code = code
    transfer.flags = LINKED
    return transfer
  }

  /** The transfer that was added last. */
  last(): Transfer {
    const transfer = this.#pool[this.#count - 1]
    assert(transfer !== undefined && this.#count > 0, 'there is a transfer')
    return transfer
  }

  /** Ends the chain: all of it is booked, or nothing. Returns how many transfers it has. */
  endChain(): number {
    const length = this.#count - this.#chainStart
    assert(length > 0, 'a chain is not empty')
    this.#pool[this.#count - 1]!.flags &= ~LINKED
    this.#chainStart = this.#count
    return length
  }

  /** What is in the buffer, to be submitted before the buffer is used again. */
  take(): Transfer[] {
    assert(this.#chainStart === this.#count, 'the last chain is ended')
    return this.#pool.slice(0, this.#count)
  }
}
