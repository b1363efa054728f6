import type { AttributedCredit, ReceivedCredit } from './credit-journal.ts'
import type { Quantity } from './engine.ts'
import type { OutgoingSettlement } from './outgoing-journal.ts'
import type { OutgoingState } from './outgoing-state.ts'
import { addQuantities } from './quantity.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import type { Total, TotalKind } from './settlement-totals.ts'

/** What the journal says of an engine, for all accounts or one, at one moment. */
export interface JournalSums {
  readonly totals: readonly Total[]
  /** Orders that have not ended. */
  readonly open: readonly OutgoingSettlement[]
  /** The same, of one account with those that it ordered of other engines: what the ledger holds. */
  readonly held: readonly OutgoingSettlement[]
  /** Credits that have not come to rest, and those that were in SUSPENSE once; only of an engine as a whole. */
  readonly credits: readonly ReceivedCredit[]
  readonly attributed: readonly AttributedCredit[]
}

export function journalSums(journal: SettlementJournal, engine: string, accountId?: string): JournalSums {
  const isWhole = accountId === undefined
  const held = isWhole ? journal.outgoing.openOf(engine) : journal.outgoing.open(accountId)
  return {
    totals: journal.totals(engine, accountId),
    open: held.filter((order) => order.engine === engine),
    held,
    credits: isWhole ? journal.credits.open().filter((credit) => credit.engine === engine) : [],
    attributed: isWhole ? journal.credits.attributed(engine) : [],
  }
}

/** The sum of one kind, exact. */
export function sumOfKind({ totals }: JournalSums, kind: TotalKind): Quantity {
  return sumQuantities(totals.filter((total) => total.kind === kind))
}

/** What the engine was asked to pay by orders in those states. */
export function sumOrdered({ open }: JournalSums, states: readonly OutgoingState[]): Quantity {
  return sumQuantities(open.filter(({ state }) => states.includes(state)).map(({ quantity }) => quantity))
}

/** What orders in those states hold or may hold, in units of their account. */
export function sumAmounts(open: readonly OutgoingSettlement[], states: readonly OutgoingState[]): bigint {
  return open.reduce((sum, order) => (states.includes(order.state) ? sum + order.amount : sum), 0n)
}

export function sumQuantities(quantities: readonly Quantity[]): Quantity {
  return quantities.reduce<Quantity>(addQuantities, { amount: 0n, scale: 0 })
}
