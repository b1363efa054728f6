import { settlementAccountName } from '../ledger/chart-of-accounts.ts'
import type { Ledger } from '../ledger/ledger.ts'

const PAGE = 1_000
/** A million settlements: above that nobody can wait for the sums. */
const PAGES_MAX = 1_000

/** What the ledger knows of one account's settlements over an engine, in units of the account. */
export interface OutsideSums {
  readonly accountId: string
  /** Paid to the peer. */
  paid: bigint
  /** Held to be paid. */
  held: bigint
  /** Received from the peer. */
  received: bigint
}

/**
 * The ledger's settlements over an engine in one asset, summed by account. They stand in the history of the SETTLEMENT
 * account, where no packet does.
 * @throws Error when they are too many
 */
export async function outsideSums(
  ledger: Pick<Ledger, 'history'>,
  { assetCode, assetScale, engine }: { assetCode: string; assetScale: number; engine: string },
): Promise<OutsideSums[]> {
  const name = settlementAccountName(assetCode, assetScale, engine)
  const sums = new Map<string, OutsideSums>()
  const of = (accountId: string): OutsideSums => {
    const known = sums.get(accountId) ?? { accountId, paid: 0n, held: 0n, received: 0n }
    sums.set(accountId, known)
    return known
  }
  let before: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const entries = await ledger.history({
      accountId: name,
      limit: PAGE,
      ...(before === undefined ? {} : { before }),
    })
    for (const { amount, creditAccount, debitAccount, kind, state } of entries) {
      if (kind === 'settlement-in') of(creditAccount).received += amount
      else if (kind === 'settlement-out' && state === 'posted') of(debitAccount).paid += amount
      else if (kind === 'settlement-out' && state === 'pending') of(debitAccount).held += amount
    }
    if (entries.length < PAGE) return [...sums.values()]
    before = entries.at(-1)!.cursor
  }
  throw new Error(`the ledger has more than ${PAGE * PAGES_MAX} settlements in ${name}`)
}
