import type { Logger } from '../lib/logger.ts'
import type { AcceptedDifference, AcceptedShare } from './accepted-differences.ts'
import { compareOutside, type OutsideDifference } from './compare-outside.ts'
import { journalSums, sumAmounts } from './journal-sums.ts'
import { type OutsideSums, outsideSums } from './outside-history.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import type { SettlementLedger } from './settlement-ledger.ts'
import { SettlementRefusal } from './settlement-refusal.ts'

export interface DifferenceAcceptance {
  readonly assetCode: string
  /** Needed only when several scales of the asset differ. */
  readonly assetScale: number | undefined
  /** `OutsideDifference.net`, exactly. */
  readonly amount: bigint
  readonly reason: string
}

export interface AcceptDeps {
  journal: SettlementJournal
  ledger: Pick<SettlementLedger, 'balances' | 'history'>
  logger: Logger
}

/**
 * Stores a difference between ledger and journal as what the journal misses, by the word of an operator. The ledger is
 * taken to be right, account by account: what it has paid, the engine is told to be paid and never counts as a surplus.
 * @throws SettlementRefusal when the amount is not the difference of this moment: nothing was changed
 */
export async function acceptDifference(
  engine: string,
  { amount, assetCode, assetScale, reason }: DifferenceAcceptance,
  { journal, ledger, logger }: AcceptDeps,
): Promise<AcceptedDifference> {
  const look = async (): Promise<OutsideDifference[]> => {
    const before = journalSums(journal, engine)
    const books = await ledger.balances()
    const all = compareOutside(engine, before, books, journalSums(journal, engine))
    return all.filter(
      (one) =>
        one.differences.length > 0 &&
        one.assetCode === assetCode &&
        (assetScale === undefined || one.assetScale === assetScale),
    )
  }
  const found = theOne(engine, assetCode, await look())
  if (found.net !== amount) {
    throw new SettlementRefusal(
      'conflict',
      `the difference is ${found.net}, not ${amount}: ${found.differences.join('; ')}`,
    )
  }
  const sums = await outsideSums(ledger, found)
  // The last look: between it and the write nothing else runs.
  const now = theOne(engine, assetCode, await look())
  if (now.paid !== found.paid || now.received !== found.received) {
    throw new SettlementRefusal('conflict', 'money moved meanwhile: look at the difference again')
  }
  const { paid, received } = found
  const difference = { engine, assetCode, assetScale: found.assetScale, paid, received, reason }
  const accepted = journal.accepted.add(difference, sharesOf(journal, found, sums))
  const told = { engine, assetCode, assetScale: found.assetScale, reason }
  logger.warn('a difference between ledger and journal was accepted', {
    ...told,
    paid: paid.toString(),
    received: received.toString(),
  })
  return accepted
}

function theOne(engine: string, assetCode: string, found: readonly OutsideDifference[]): OutsideDifference {
  const [first] = found
  if (first === undefined) {
    throw new SettlementRefusal('conflict', `ledger and journal of ${engine} agree in ${assetCode}`)
  }
  if (found.length === 1) return first
  const scales = found.map((one) => one.assetScale).join(' and ')
  throw new SettlementRefusal('invalid', `${assetCode} of the scales ${scales} differ: name one`)
}

/** What the ledger has and the journal does not, of every account that has any. */
function sharesOf(
  journal: SettlementJournal,
  { assetCode, assetScale, engine }: OutsideDifference,
  sums: readonly OutsideSums[],
): AcceptedShare[] {
  return sums.flatMap(({ accountId, held, paid, received }) => {
    const { open, totals } = journalSums(journal, engine, accountId)
    const inJournal = (kind: string): bigint =>
      totals
        .filter((one) => one.kind === kind && one.assetCode === assetCode && one.scale === assetScale)
        .reduce((sum, one) => sum + one.amount, 0n)
    const shared = journal.accepted.totals(engine, accountId)
    const acceptedPaid = shared
      .filter((one) => one.kind === 'carried-out' && one.scale === assetScale)
      .reduce((sum, one) => sum + one.amount, 0n)
    const acceptedTold = shared
      .filter((one) => one.kind === 'told' && one.scale === assetScale)
      .reduce((sum, one) => sum + one.amount, 0n)
    const ordered = sumAmounts(open, ['held', 'handed-over', 'carried-out'])
    const unknown = paid + held - (inJournal('posted') + acceptedPaid + ordered + inJournal('held'))
    // Orders that the journal still knows may be paid already: what is held beyond them is for forgotten ones.
    const unknownHeld = least(unknown, held - ordered - inJournal('held'))
    const shares: AcceptedShare[] = [
      { accountId, kind: 'carried-out', amount: unknown - unknownHeld },
      { accountId, kind: 'held', amount: unknownHeld },
      { accountId, kind: 'told', amount: received - inJournal('booked') - acceptedTold },
    ]
    return shares.filter((share) => share.amount > 0n)
  })
}

/** Not below 0. */
function least(a: bigint, b: bigint): bigint {
  const smaller = a < b ? a : b
  return smaller < 0n ? 0n : smaller
}
