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
}

export function journalSums(journal: SettlementJournal, engine: string, accountId?: string): JournalSums {
  const accounts = accountId === undefined ? journal.outgoing.openAccounts() : [accountId]
  const open = accounts.flatMap((account) => journal.outgoing.open(account))
  return {
    totals: journal.totals(engine, accountId),
    open: open.filter((order) => order.engine === engine),
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
