import type { HostOrders } from './engine.ts'
import { journalSums, sumOfKind } from './journal-sums.ts'
import type { OutgoingState } from './outgoing-state.ts'
import type { SettlementJournal } from './settlement-journal.ts'

/** What an engine that asks is told of an account's orders to it. */
export function hostOrders(journal: SettlementJournal, engine: string, accountId: string): HostOrders {
  const sums = journalSums(journal, engine, accountId)
  const inState = (state: OutgoingState) =>
    sums.open
      .filter((order) => order.state === state)
      .map(({ id, quantity }) => ({ id, accountId, quantity }))
  return { settled: sumOfKind(sums, 'carried-out'), open: inState('handed-over'), offered: inState('held') }
}
