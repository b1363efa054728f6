import type { Hex } from 'viem'
import type { EngineStore } from '../engine-store.ts'

/** A token's transfer that was signed for once (EIP-3009), under the purpose of its transaction. */
export interface AuthorizationRecord {
  readonly purpose: string
  readonly nonce: Hex
  /** Seconds since the epoch: in blocks of this time and later it moves nothing. */
  readonly validBefore: number
}

/** A transaction that paid a peer and that the peer has to hear of. */
export interface NoticeRecord {
  readonly hash: Hex
  readonly accountId: string
}

/** Looked at in one round; the next looks at what is left. */
const UNHEARD_MAX = 1_000

type Row = Record<string, string | number | null>

/** Plain transfers in the engine's store. Every call is one transaction, or part of the caller's. */
export class TransferBook {
  readonly #store: EngineStore

  constructor(deps: { store: EngineStore }) {
    this.#store = deps.store
  }

  addAuthorization({ nonce, purpose, validBefore }: AuthorizationRecord): void {
    this.#store.database
      .prepare('INSERT INTO engine_authorizations VALUES (?, ?, ?)')
      .run(purpose, nonce, validBefore)
  }

  authorization(purpose: string): AuthorizationRecord | undefined {
    const row = this.#store.database
      .prepare('SELECT * FROM engine_authorizations WHERE purpose = ?')
      .get(purpose) as Row | undefined
    if (row === undefined) return undefined
    return { purpose, nonce: row.nonce as Hex, validBefore: Number(row.valid_before) }
  }

  /** Changes nothing when the transaction is known. */
  addNotice({ accountId, hash }: NoticeRecord): void {
    this.#store.database
      .prepare('INSERT OR IGNORE INTO engine_notices (hash, account_id) VALUES (?, ?)')
      .run(hash, accountId)
  }

  /** Oldest first. */
  unheard(): NoticeRecord[] {
    return this.#store.database
      .prepare('SELECT hash, account_id FROM engine_notices WHERE heard = 0 ORDER BY seq LIMIT ?')
      .all(UNHEARD_MAX)
      .map((row) => ({ hash: row.hash as Hex, accountId: String(row.account_id) }))
  }

  setHeard(hash: Hex): void {
    this.#store.database.prepare('UPDATE engine_notices SET heard = 1 WHERE hash = ?').run(hash)
  }
}
