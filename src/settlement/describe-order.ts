import type { OutgoingSettlement } from './outgoing-journal.ts'

/** An order in the log. */
export function describeOrder({
  id,
  accountId,
  engine,
  amount,
}: Pick<OutgoingSettlement, 'id' | 'accountId' | 'engine' | 'amount'>): Record<string, unknown> {
  return { settlementId: id, accountId, engine, amount: amount.toString() }
}
