import type { Clock } from '../lib/clock.ts'
import type { Store } from '../store/store.ts'
import { AcceptedDifferences } from './accepted-differences.ts'
import { CreditJournal, type ReceivedCredit } from './credit-journal.ts'
import type { CreditState } from './credit-state.ts'
import { OutgoingJournal, type OutgoingSettlement } from './outgoing-journal.ts'
import type { OutgoingState } from './outgoing-state.ts'
import { type Total, totalsOf } from './settlement-totals.ts'

export interface Pause {
  reason: string
  sinceMs: number
}

export interface JournalQuery {
  accountId?: string | undefined
  direction?: 'in' | 'out' | undefined
  state?: OutgoingState | CreditState | undefined
  /** Exclusive bound: `sequence` of the last entry of the page before. */
  before?: number | undefined
  limit: number
}

export type JournalEntry =
  | { direction: 'out'; settlement: OutgoingSettlement }
  | { direction: 'in'; credit: ReceivedCredit }

/**
 * Everything that the node must remember of settlements, in its store: orders to pay, credits received, remainders,
 * sums, pauses, accepted differences. States: `outgoing-state.ts` and `credit-state.ts`. Rows, and with them ids, are kept for good.
 */
export class SettlementJournal {
  readonly outgoing: OutgoingJournal
  readonly credits: CreditJournal
  readonly accepted: AcceptedDifferences
  readonly #store: Pick<Store, 'database'>
  readonly #clock: Clock

  /** The store must be open before the first call. */
  constructor(deps: { store: Pick<Store, 'database'>; clock: Clock }) {
    this.outgoing = new OutgoingJournal(deps)
    this.credits = new CreditJournal(deps)
    this.accepted = new AcceptedDifferences(deps)
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** Both directions, newest first. */
  page(query: JournalQuery): JournalEntry[] {
    const { accountId, before, direction, limit, state } = query
    const bounds = { accountId, before, limit, state }
    const out = direction === 'in' ? [] : this.outgoing.page(bounds)
    const received = direction === 'out' ? [] : this.credits.page(bounds)
    const entries: JournalEntry[] = [
      ...out.map((settlement) => ({ direction: 'out' as const, settlement })),
      ...received.map((credit) => ({ direction: 'in' as const, credit })),
    ]
    return entries.sort((a, b) => sequenceOf(b) - sequenceOf(a)).slice(0, limit)
  }

  /** How much of an engine's waits for something: cheap, for metrics. */
  waiting(engine: string): { open: number; openSinceMs: number | undefined; suspended: number } {
    return { ...this.outgoing.waiting(engine), suspended: this.credits.countSuspended(engine) }
  }

  /** Names of engines over which something was settled, or is under way. */
  engines(): string[] {
    const sql = `SELECT engine FROM settlement_totals
      UNION SELECT engine FROM settlements_out WHERE state NOT IN ('settled', 'refused')`
    return this.#store.database
      .prepare(sql)
      .all()
      .map((row) => row.engine as string)
  }

  /** Of all accounts, or one. What operators have accepted is among them. */
  totals(engine: string, accountId?: string): Total[] {
    return [...totalsOf(this.#store.database, engine, accountId), ...this.accepted.totals(engine, accountId)]
  }

  pauseOf(accountId: string): Pause | undefined {
    const sql = 'SELECT reason, since_ms FROM settlement_pauses WHERE account_id = ?'
    const row = this.#store.database.prepare(sql).get(accountId)
    return row === undefined ? undefined : { reason: row.reason as string, sinceMs: row.since_ms as number }
  }

  /** Pausing a paused account keeps its first reason and time. */
  pause(accountId: string, reason: string): void {
    const sql =
      'INSERT INTO settlement_pauses (account_id, reason, since_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
    this.#store.database.prepare(sql).run(accountId, reason, this.#clock.now())
  }

  resume(accountId: string): void {
    this.#store.database.prepare('DELETE FROM settlement_pauses WHERE account_id = ?').run(accountId)
  }
}

/** Place of an entry in the order of all settlements. */
export function sequenceOf(entry: JournalEntry): number {
  return entry.direction === 'out' ? entry.settlement.sequence : entry.credit.sequence
}
