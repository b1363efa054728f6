import type { OutgoingSettlement } from './outgoing-journal.ts'
import type { SettlementAlarms } from './settlement-alarms.ts'
import type { SettlementJournal } from './settlement-journal.ts'

/** What an engine tells of an order. */
export interface OrderEnd {
  readonly engine: string
  readonly orderId: string
  readonly state: 'carried-out' | 'declined'
  readonly reason: string | undefined
}

/**
 * Takes down how an order ended. Durable when this returns; the ledger follows.
 * @returns the order; undefined when that was known before
 * @throws Error when it contradicts what is known: nothing was changed
 */
export function orderEnded(
  { engine, orderId, reason, state }: OrderEnd,
  { alarms, journal }: { alarms: SettlementAlarms; journal: SettlementJournal },
): OutgoingSettlement | undefined {
  const order = journal.outgoing.get(orderId)
  const ends = state === 'carried-out' ? ['carried-out', 'settled'] : ['declined', 'refused']
  const known = order?.engine === engine ? order : undefined
  if (known !== undefined && ends.includes(known.state)) return undefined
  if (known === undefined || (known.state !== 'held' && known.state !== 'handed-over')) {
    const is = known?.state ?? 'unknown'
    alarms.raise('contradiction', { settlementId: orderId, engine, is, told: state })
    throw new Error(`order ${orderId} is ${is}: it cannot be ${state}`)
  }
  journal.outgoing.advance(orderId, state, reason)
  if (state === 'declined') {
    alarms.raise('refused', { settlementId: orderId, accountId: known.accountId, engine, reason })
  }
  return known
}
