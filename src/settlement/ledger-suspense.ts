import type { LedgerAccount } from '../ledger/ledger.ts'
import type { SettlementLedger } from './settlement-ledger.ts'
import type { SuspenseBooks, SuspenseEntry } from './suspense-books.ts'

/** Assets in which money of unknown senders may stand; engines are few, and so are their tokens. */
const ASSETS_MAX = 1_000

/**
 * SUSPENSE kept in an account of the ledger of its own, one per asset, by the verbs that the ledger has: money comes
 * in by `settleIn` and goes out again by a settlement that is held and posted at once. Nobody can spend from it: no
 * link belongs to it, and its name, `suspense.<asset>.<scale>`, cannot be given to a peer.
 */
export class LedgerSuspense implements SuspenseBooks {
  readonly #ledger: SettlementLedger
  readonly #accounts = new Map<string, Promise<LedgerAccount>>()

  constructor(ledger: SettlementLedger) {
    this.#ledger = ledger
  }

  async suspend(entry: SuspenseEntry): Promise<void> {
    const { id, engine, amount } = entry
    await this.#ledger.settleIn({ id, account: await this.#account(entry), engine, amount })
  }

  async release(entry: SuspenseEntry): Promise<void> {
    const { engine, amount } = entry
    const id = `${entry.id}.release`
    await this.#ledger.holdSettlement({ id, account: await this.#account(entry), engine, amount })
    await this.#ledger.postSettlement(id)
  }

  async #account({ assetCode, assetScale }: SuspenseEntry): Promise<LedgerAccount> {
    const id = suspenseAccountId(assetCode, assetScale)
    const known = this.#accounts.get(id)
    if (known !== undefined) return await known
    if (this.#accounts.size >= ASSETS_MAX) throw new Error(`more than ${ASSETS_MAX} assets stand in suspense`)
    const opening = this.#ledger.openAccount({
      id,
      assetCode,
      assetScale,
      creditLimit: 0n,
      payableLimit: undefined,
    })
    this.#accounts.set(id, opening)
    try {
      return await opening
    } catch (error) {
      this.#accounts.delete(id)
      throw error
    }
  }
}

/** Peers' ids have no dot in them. */
export function suspenseAccountId(assetCode: string, assetScale: number): string {
  return `suspense.${assetCode}.${assetScale}`
}
