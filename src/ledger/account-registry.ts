import { assetName } from './chart-of-accounts.ts'
import { ExclusiveAccount } from './exclusive-account.ts'
import type { LedgerAccountSpec } from './ledger.ts'
import { LedgerFaultError, type LedgerStore } from './ledger-store.ts'

/** More accounts than any configuration allows (100,000 peers, 10,000 own accounts) with room for children. */
const ACCOUNTS_MAX = 250_000

/** The open accounts, by id and by dense index. */
export class AccountRegistry {
  readonly #store: LedgerStore
  readonly #byIndex: (ExclusiveAccount | undefined)[] = []
  readonly #indexById = new Map<string, number>()
  readonly #opening = new Map<string, Promise<ExclusiveAccount>>()
  readonly #assetIndexes = new Map<string, number>()

  constructor(store: LedgerStore) {
    this.#store = store
  }

  at(index: number): ExclusiveAccount | undefined {
    return this.#byIndex[index]
  }

  /** The open account of that id, if there is one. */
  find(id: string): ExclusiveAccount | undefined {
    const index = this.#indexById.get(id)
    return index === undefined ? undefined : this.#byIndex[index]
  }

  /** Opens the account in the store, once. */
  open(spec: LedgerAccountSpec): Promise<ExclusiveAccount> {
    const opening = this.#opening.get(spec.id)
    if (opening !== undefined) return opening
    const started = this.#open(spec).finally(() => this.#opening.delete(spec.id))
    this.#opening.set(spec.id, started)
    return started
  }

  async #open(spec: LedgerAccountSpec): Promise<ExclusiveAccount> {
    let index = this.#indexById.get(spec.id)
    if (index === undefined) {
      index = this.#byIndex.length
      if (index >= ACCOUNTS_MAX) throw new LedgerFaultError(`more than ${ACCOUNTS_MAX} ledger accounts`)
      this.#byIndex.push(undefined)
      this.#indexById.set(spec.id, index)
    }
    const stored = await this.#store.openAccount(spec, index)
    const place = { index, assetIndex: this.#assetIndex(spec) }
    const account = new ExclusiveAccount(spec, place, stored)
    this.#byIndex[index] = account
    return account
  }

  #assetIndex(spec: LedgerAccountSpec): number {
    const name = assetName(spec.assetCode, spec.assetScale)
    let index = this.#assetIndexes.get(name)
    if (index === undefined) {
      index = this.#assetIndexes.size
      this.#assetIndexes.set(name, index)
    }
    return index
  }
}
