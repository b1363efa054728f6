import type { Hex } from 'viem'
import type { EngineStore } from '../engine-store.ts'

export interface AccountRecord {
  readonly id: string
  readonly assetCode: string
  /** Zero for the native coin. */
  readonly token: Hex
  readonly scale: number
  readonly mode: 'channel' | 'transfer'
  /** ILP addresses; empty when not known. */
  readonly ownAddress: string
  readonly peerAddress: string
}

/** Who the peer of an account is on the chain. */
export interface PeerRecord {
  readonly accountId: string
  readonly address: Hex
  /** Undefined until the peer has told it. */
  readonly signer: Hex | undefined
  /** Seconds: the shortest delay that the peer accepts. */
  readonly minDelay: number | undefined
}

type Row = Record<string, string | number | null>

/** Accounts and their peers in the engine's store. */
export class AccountBook {
  readonly #store: EngineStore

  constructor(deps: { store: EngineStore }) {
    this.#store = deps.store
  }

  save(account: AccountRecord): void {
    this.#store.database
      .prepare('INSERT OR REPLACE INTO engine_accounts VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(
        ...[account.id, account.assetCode, account.token, account.scale, account.mode],
        ...[account.ownAddress, account.peerAddress],
      )
  }

  find(id: string): AccountRecord | undefined {
    const row = this.#store.database.prepare('SELECT * FROM engine_accounts WHERE id = ?').get(id) as
      | Row
      | undefined
    if (row === undefined) return undefined
    return {
      id: String(row.id),
      assetCode: String(row.asset_code),
      token: row.token as Hex,
      scale: Number(row.scale),
      mode: row.mode as AccountRecord['mode'],
      ownAddress: String(row.own_address),
      peerAddress: String(row.peer_address),
    }
  }

  peer(accountId: string): PeerRecord | undefined {
    return this.#peer('account_id', accountId)
  }

  peerAt(address: Hex): PeerRecord | undefined {
    return this.#peer('address', address)
  }

  savePeer(peer: PeerRecord): void {
    this.#store.database
      .prepare(
        `INSERT INTO engine_peers VALUES (?, ?, ?, ?) ON CONFLICT (account_id) DO UPDATE SET
           address = excluded.address, signer = excluded.signer, min_delay = excluded.min_delay`,
      )
      .run(peer.accountId, peer.address, peer.signer ?? null, peer.minDelay ?? null)
  }

  #peer(column: 'account_id' | 'address', value: string): PeerRecord | undefined {
    const row = this.#store.database.prepare(`SELECT * FROM engine_peers WHERE ${column} = ?`).get(value) as
      | Row
      | undefined
    if (row === undefined) return undefined
    return {
      accountId: String(row.account_id),
      address: row.address as Hex,
      signer: (row.signer ?? undefined) as Hex | undefined,
      minDelay: (row.min_delay ?? undefined) as number | undefined,
    }
  }
}
