import type { AccountService } from '../admin/services.ts'
import type { AccountBalance, HistoryEntry, HistoryQuery, Ledger, SelfCheck } from '../ledger/ledger.ts'
import type { PeerRegistry } from '../peers/peer-registry.ts'

/** The books as operators see them. */
export class Accounts implements AccountService {
  readonly #ledger: Ledger
  readonly #registry: PeerRegistry

  constructor(deps: { ledger: Ledger; registry: PeerRegistry }) {
    this.#ledger = deps.ledger
    this.#registry = deps.registry
  }

  balances(): Promise<AccountBalance[]> {
    return this.#ledger.balances()
  }

  history(query: HistoryQuery): Promise<HistoryEntry[]> {
    return this.#ledger.history(query)
  }

  selfCheck(): Promise<SelfCheck> {
    return this.#ledger.selfCheck()
  }

  has(accountId: string): boolean {
    return this.#registry.get(accountId) !== undefined
  }
}
