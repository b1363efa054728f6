import type { IncomingCredit } from '../../../src/settlement/engine.ts'
import type { EngineStore } from '../engine-store.ts'
import { addToTotal } from './totals.ts'

type Row = Record<string, string | number | null>

/** What came in, in the engine's store. Every call is one transaction, or part of the caller's. */
export class CreditBook {
  readonly #store: EngineStore

  constructor(deps: { store: EngineStore }) {
    this.#store = deps.store
  }

  /** Changes nothing when the id is known. */
  add(credit: IncomingCredit): void {
    this.#store.database
      .prepare(
        `INSERT OR IGNORE INTO engine_credits (id, account_id, asset_code, amount, scale, sender)
         VALUES (?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[credit.id, credit.accountId ?? null, credit.assetCode, String(credit.quantity.amount)],
        ...[credit.quantity.scale, credit.sender ?? null],
      )
  }

  /** In order, those of known accounts first, without the first `skipped`. */
  untold(limit: number, skipped: number): IncomingCredit[] {
    return this.#store.database
      .prepare(
        'SELECT * FROM engine_credits WHERE told = 0 ORDER BY account_id IS NULL, seq LIMIT ? OFFSET ?',
      )
      .all(limit, skipped)
      .map((row) => toCredit(row as Row))
  }

  findUntold(id: string): IncomingCredit | undefined {
    const row = this.#store.database.prepare('SELECT * FROM engine_credits WHERE told = 0 AND id = ?').get(id)
    return row === undefined ? undefined : toCredit(row as Row)
  }

  /** Sum of those whose ids begin with `prefix` and that the node has not taken note of. */
  untoldSum(prefix: string): bigint {
    return this.#untoldOf(prefix).reduce((sum, { quantity }) => sum + quantity.amount, 0n)
  }

  /** The node has credited `amount` of those untold, under whatever ids: it is not to be told of that. */
  cover(prefix: string, amount: bigint): void {
    let left = amount
    for (const credit of this.#untoldOf(prefix)) {
      const { accountId, id, quantity } = credit
      if (left <= 0n) return
      if (quantity.amount <= left) {
        this.setTold(credit)
      } else {
        this.#store.database
          .prepare('UPDATE engine_credits SET amount = ? WHERE id = ?')
          .run(String(quantity.amount - left), id)
        if (accountId !== undefined) addToTotal(this.#store, 'credited', accountId, left)
      }
      left -= quantity.amount
    }
  }

  /** In the order in which they are told. */
  #untoldOf(prefix: string): IncomingCredit[] {
    return this.#store.database
      .prepare(
        `SELECT * FROM engine_credits WHERE told = 0 AND substr(id, 1, length(?1)) = ?1
         ORDER BY account_id IS NULL, seq`,
      )
      .all(prefix)
      .map((row) => toCredit(row as Row))
  }

  setTold({ id, accountId, quantity }: IncomingCredit): void {
    this.#store.transaction(() => {
      const { changes } = this.#store.database
        .prepare('UPDATE engine_credits SET told = 1 WHERE id = ? AND told = 0')
        .run(id)
      if (Number(changes) === 1 && accountId !== undefined)
        addToTotal(this.#store, 'credited', accountId, quantity.amount)
    })
  }
}

function toCredit(row: Row): IncomingCredit {
  return {
    id: String(row.id),
    accountId: (row.account_id ?? undefined) as string | undefined,
    assetCode: String(row.asset_code),
    quantity: { amount: BigInt(row.amount as string), scale: Number(row.scale) },
    sender: (row.sender ?? undefined) as string | undefined,
  }
}
