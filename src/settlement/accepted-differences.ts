import type { Clock } from '../lib/clock.ts'
import { transact } from '../lib/transact.ts'
import type { Store } from '../store/store.ts'
import type { Total } from './settlement-totals.ts'

/** What an operator has accepted, for good. */
export interface AcceptedDifference {
  readonly engine: string
  readonly assetCode: string
  readonly assetScale: number
  /** How far the ledger was above the journal: in what was paid, and in what was received. */
  readonly paid: bigint
  readonly received: bigint
  readonly reason: string
  readonly acceptedMs: number
}

/** Adds what the books of single accounts miss of it: see `accept-difference.ts`. */
export type AcceptedShare = Pick<Total, 'accountId' | 'kind' | 'amount'>

/**
 * Differences between ledger and journal that operators have accepted. Each counts as if the journal had it, in every
 * sum from then on. Rows are kept for good.
 */
export class AcceptedDifferences {
  readonly #store: Pick<Store, 'database'>
  readonly #clock: Clock

  constructor(deps: { store: Pick<Store, 'database'>; clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** One transaction, durable when this returns. */
  add(
    difference: Omit<AcceptedDifference, 'acceptedMs'>,
    shares: readonly AcceptedShare[],
  ): AcceptedDifference {
    const { database } = this.#store
    const { assetCode, assetScale, engine, paid, reason, received } = difference
    const acceptedMs = this.#clock.now()
    const rows: AcceptedShare[] = [
      { accountId: '', kind: 'posted', amount: paid },
      { accountId: '', kind: 'booked', amount: received },
      ...shares,
    ]
    transact(database, () => {
      const { next } = database
        .prepare('SELECT coalesce(max(acceptance), 0) + 1 AS next FROM settlement_accepted')
        .get() as { next: number }
      const insert = database.prepare(
        `INSERT INTO settlement_accepted (acceptance, engine, account_id, kind, asset_code, scale, amount, reason, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      for (const { accountId, amount, kind } of rows) {
        const key = [next, engine, accountId, kind, assetCode, assetScale] as const
        insert.run(...key, amount.toString(), reason, acceptedMs)
      }
    })
    return { ...difference, acceptedMs }
  }

  /** What is to be added to the sums of the journal, of an engine or of one of its accounts. */
  totals(engine: string, accountId?: string): Total[] {
    const rows = this.#store.database
      .prepare(
        'SELECT * FROM settlement_accepted WHERE engine = ?1 AND account_id = coalesce(?2, account_id)',
      )
      .all(engine, accountId ?? null)
    return rows.map((row) => ({
      kind: row.kind as Total['kind'],
      engine,
      accountId: row.account_id as string,
      assetCode: row.asset_code as string,
      scale: row.scale as number,
      amount: BigInt(row.amount as string),
    }))
  }
}
