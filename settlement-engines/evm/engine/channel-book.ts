import type { Hex } from 'viem'
import type { EngineStore } from '../engine-store.ts'
import type { ChannelRecord, ChannelTerms } from './channel-record.ts'

export interface DepositRecord {
  /** Also the purpose of its transaction. */
  readonly id: string
  readonly channelId: Hex
  readonly kind: 'open' | 'fund'
  readonly token: Hex
  readonly amount: bigint
  readonly state: 'waiting' | 'approving' | 'sent' | 'done' | 'failed'
  readonly updatedMs: number
}

type Row = Record<string, string | number | null>

/** Channels and deposits in the engine's store. Every call is one transaction, or part of the caller's. */
export class ChannelBook {
  readonly #store: EngineStore
  /** As they are in the file, oldest first: each round looks at all. */
  readonly #records = new Map<string, ChannelRecord>()
  /** Those written since they were read. */
  readonly #changed = new Set<string>()
  #isRead = false

  constructor(deps: { store: EngineStore }) {
    this.#store = deps.store
  }

  find(id: string): ChannelRecord | undefined {
    const row = this.#store.database.prepare('SELECT * FROM engine_channels WHERE id = ?').get(id)
    return row === undefined ? undefined : toChannel(row as Row)
  }

  all(): ChannelRecord[] {
    this.#readChanges()
    return [...this.#records.values()]
  }

  ofAccount(accountId: string): ChannelRecord[] {
    return this.#list('SELECT * FROM engine_channels WHERE account_id = ? ORDER BY rowid', accountId)
  }

  live(direction: 'in' | 'out', accountId?: string): ChannelRecord[] {
    if (accountId === undefined) {
      return this.all().filter((channel) => channel.state !== 'closed' && channel.direction === direction)
    }
    return this.#list(
      "SELECT * FROM engine_channels WHERE state <> 'closed' AND direction = ? AND account_id = ? ORDER BY rowid",
      direction,
      accountId,
    )
  }

  /** Writes the whole record, new or not. */
  save(channel: ChannelRecord): void {
    this.#store.database
      .prepare(
        `INSERT INTO engine_channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, deposited = excluded.deposited,
           claimed = excluded.claimed, cumulative = excluded.cumulative, acked = excluded.acked,
           signature = excluded.signature, close_at = excluded.close_at,
           unclaimed_since_ms = excluded.unclaimed_since_ms, claim_purpose = excluded.claim_purpose,
           held = excluded.held`,
      )
      .run(
        ...[channel.id, channel.accountId, channel.direction, channel.state, channel.token, channel.scale],
        ...[JSON.stringify(channel.terms), String(channel.deposited), String(channel.claimed)],
        ...[String(channel.cumulative), String(channel.acked), channel.signature ?? null],
        ...[channel.closeAt ?? null, channel.unclaimedSinceMs ?? null, channel.claimPurpose ?? null],
        String(channel.held),
      )
    this.#changed.add(channel.id)
  }

  /** Changes some fields of a channel as it is now. */
  update(id: Hex, change: Partial<ChannelRecord>): ChannelRecord {
    const found = this.find(id)
    if (found === undefined) throw new Error(`there is no channel ${id} in the books`)
    // Each round looks at all channels, and most are as they were: a write that waits for the disk is for news.
    const names = Object.keys(change) as (keyof ChannelRecord)[]
    if (names.every((name) => found[name] === change[name])) return found
    const channel = { ...found, ...change }
    this.save(channel)
    return channel
  }

  addDeposit(deposit: Omit<DepositRecord, 'state'>, state: DepositRecord['state']): void {
    this.#store.database
      .prepare(
        'INSERT INTO engine_deposits (id, channel_id, kind, token, amount, state, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
      )
      .run(
        ...[deposit.id, deposit.channelId, deposit.kind, deposit.token],
        ...[String(deposit.amount), state, deposit.updatedMs],
      )
  }

  setDeposit(id: string, state: DepositRecord['state'], nowMs: number): void {
    this.#store.database
      .prepare('UPDATE engine_deposits SET state = ?, updated_ms = ? WHERE id = ?')
      .run(state, nowMs, id)
  }

  deposit(id: string): DepositRecord | undefined {
    const row = this.#store.database.prepare('SELECT * FROM engine_deposits WHERE id = ?').get(id)
    return row === undefined ? undefined : toDeposit(row as Row)
  }

  depositsOf(channelId: Hex): DepositRecord[] {
    const rows = this.#store.database
      .prepare('SELECT * FROM engine_deposits WHERE channel_id = ? ORDER BY seq')
      .all(channelId)
    return rows.map((row) => toDeposit(row as Row))
  }

  /** Not at their end, oldest first. */
  unfinishedDeposits(): DepositRecord[] {
    const rows = this.#store.database
      .prepare("SELECT * FROM engine_deposits WHERE state NOT IN ('done', 'failed') ORDER BY seq")
      .all()
    return rows.map((row) => toDeposit(row as Row))
  }

  /** Milliseconds since the epoch; undefined when none for the account failed, but for top-ups that a close overtook. */
  lastFailureMs(accountId: string): number | undefined {
    const row = this.#store.database
      .prepare(
        `SELECT max(updated_ms) AS at FROM engine_deposits JOIN engine_channels ON engine_channels.id = channel_id
         WHERE account_id = ? AND engine_deposits.state = 'failed'
           AND (engine_deposits.kind = 'open' OR engine_channels.state = 'open')`,
      )
      .get(accountId) as { at: number | null }
    return row.at ?? undefined
  }

  #readChanges(): void {
    if (!this.#isRead) {
      for (const channel of this.#list('SELECT * FROM engine_channels ORDER BY rowid')) {
        this.#records.set(channel.id, channel)
      }
      this.#isRead = true
    }
    for (const id of this.#changed) {
      const channel = this.find(id)
      if (channel === undefined) this.#records.delete(id)
      else this.#records.set(id, channel)
    }
    // What an open transaction has written may yet be undone.
    if (!this.#store.database.isTransaction) this.#changed.clear()
  }

  #list(sql: string, ...values: string[]): ChannelRecord[] {
    return this.#store.database
      .prepare(sql)
      .all(...values)
      .map((row) => toChannel(row as Row))
  }
}

function toChannel(row: Row): ChannelRecord {
  return {
    id: row.id as Hex,
    accountId: String(row.account_id),
    direction: row.direction as ChannelRecord['direction'],
    state: row.state as ChannelRecord['state'],
    token: row.token as Hex,
    scale: Number(row.scale),
    terms: JSON.parse(String(row.terms)) as ChannelTerms,
    deposited: BigInt(row.deposited as string),
    claimed: BigInt(row.claimed as string),
    cumulative: BigInt(row.cumulative as string),
    acked: BigInt(row.acked as string),
    held: BigInt(row.held as string),
    signature: (row.signature ?? undefined) as Hex | undefined,
    closeAt: (row.close_at ?? undefined) as number | undefined,
    unclaimedSinceMs: (row.unclaimed_since_ms ?? undefined) as number | undefined,
    claimPurpose: (row.claim_purpose ?? undefined) as string | undefined,
  }
}

function toDeposit(row: Row): DepositRecord {
  return {
    id: String(row.id),
    channelId: row.channel_id as Hex,
    kind: row.kind as DepositRecord['kind'],
    token: row.token as Hex,
    amount: BigInt(row.amount as string),
    state: row.state as DepositRecord['state'],
    updatedMs: Number(row.updated_ms),
  }
}
