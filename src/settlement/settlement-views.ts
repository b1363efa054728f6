import type {
  AcceptedDifferenceView,
  DiscrepancyView,
  PaymentChannelView,
  ReconciliationView,
  SettlementView,
} from '../admin/services.ts'
import type { AcceptedDifference } from './accepted-differences.ts'
import type { Discrepancy } from './compare-books.ts'
import type { ReceivedCredit } from './credit-journal.ts'
import type { ChannelView, Quantity } from './engine.ts'
import type { OutgoingSettlement } from './outgoing-journal.ts'
import type { ReconciliationReport } from './reconciliation.ts'
import { type JournalEntry, sequenceOf } from './settlement-journal.ts'

/** What operators see of an entry of the journal. */
export function settlementView(entry: JournalEntry): SettlementView {
  const cursor = sequenceOf(entry).toString()
  return entry.direction === 'out'
    ? { ...outgoingView(entry.settlement), cursor }
    : { ...creditView(entry.credit), cursor }
}

function outgoingView(settlement: OutgoingSettlement): Omit<SettlementView, 'cursor'> {
  const { id, accountId, engine, assetCode, assetScale, state, cause, reason, createdMs, updatedMs } =
    settlement
  return {
    id,
    direction: 'out',
    accountId,
    engine,
    assetCode,
    amount: settlement.amount.toString(),
    assetScale,
    quantity: quantityView(settlement.quantity),
    state,
    cause,
    sender: undefined,
    reason,
    createdMs,
    updatedMs,
  }
}

function creditView(credit: ReceivedCredit): Omit<SettlementView, 'cursor'> {
  const { id, accountId, engine, assetCode, booked, sender, state, reason, createdMs, updatedMs } = credit
  return {
    id,
    direction: 'in',
    accountId,
    engine,
    assetCode,
    amount: booked?.amount.toString(),
    assetScale: booked?.scale,
    quantity: quantityView(credit.quantity),
    state,
    cause: undefined,
    sender,
    reason,
    createdMs,
    updatedMs,
  }
}

export function quantityView({ amount, scale }: Quantity): { amount: string; scale: number } {
  return { amount: amount.toString(), scale }
}

/** @param assetCode of the channel's account, while it settles */
export function channelView(
  channel: ChannelView,
  { engine, assetCode }: { engine: string; assetCode: string | undefined },
): PaymentChannelView {
  const { id, accountId, claimed, deposit, direction, expiresAtMs, state, token, tokenScale, unclaimed } =
    channel
  return {
    id,
    engine,
    accountId,
    assetCode,
    direction,
    state,
    token,
    tokenScale,
    deposit: deposit.toString(),
    claimed: claimed.toString(),
    unclaimed: unclaimed.toString(),
    expiresAtMs,
  }
}

export function acceptedView({ paid, received, ...accepted }: AcceptedDifference): AcceptedDifferenceView {
  const amount = (paid - received).toString()
  return { ...accepted, amount, paid: paid.toString(), received: received.toString() }
}

export function reconciliationView(report: ReconciliationReport): ReconciliationView {
  const { accountsChecked, checkedAtMs, discrepancies, unchecked } = report
  return {
    checkedAtMs,
    accountsChecked,
    discrepancies: discrepancies.map(discrepancyView),
    unchecked: [...unchecked],
  }
}

function discrepancyView(discrepancy: Discrepancy): DiscrepancyView {
  const { accountId, amount, assetCode, assetScale, differences, engine } = discrepancy
  return {
    accountId,
    engine,
    assetCode,
    assetScale,
    differences: [...differences],
    amount: amount.toString(),
  }
}
