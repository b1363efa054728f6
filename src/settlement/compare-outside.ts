import type { AccountBalance } from '../ledger/ledger.ts'
import type { Discrepancy } from './compare-books.ts'
import { type JournalSums, sumAmounts } from './journal-sums.ts'
import type { OutgoingState } from './outgoing-state.ts'

/** Orders whose amount the ledger has set aside or paid out for sure. */
const TAKEN: readonly OutgoingState[] = ['held', 'handed-over', 'carried-out']
/** Orders whose amount the ledger may have set aside: one of the two is a step ahead. */
const PERHAPS_TAKEN: readonly OutgoingState[] = ['planned', 'unholdable', 'declined']

/** How far the ledger is above the journal, below 0 when it is below. Units of the asset at `assetScale`. */
export interface OutsideDifference extends Discrepancy {
  /** In what was paid to peers, or is held for it. */
  readonly paid: bigint
  /** In what peers paid. */
  readonly received: bigint
  /** `paid` less `received`: what an operator has to name. 0 is a difference too when both are off alike. */
  readonly net: bigint
}

/** An amount that is known but for what was under way: from `least` to `most`. */
interface Bounds {
  readonly least: bigint
  readonly most: bigint
}

/**
 * The ledger's SETTLEMENT accounts of an engine against everything that the journal settled over it, in both
 * directions apart: sums that are off alike would cancel out. What a crash can leave under way is no difference.
 * @param before the journal before the ledger was read
 * @param after the journal after that
 */
export function compareOutside(
  engine: string,
  before: JournalSums,
  books: readonly AccountBalance[],
  after: JournalSums,
): OutsideDifference[] {
  const accounts = books.filter(({ kind, id }) => kind === 'settlement' && id.endsWith(`:${engine}`))
  const assets = new Map(
    [...accounts, ...assetsOf(before), ...assetsOf(after)].map(({ assetCode, assetScale }) => [
      `${assetCode}:${assetScale}`,
      { assetCode, assetScale },
    ]),
  )
  return [...assets.values()].map((asset) => {
    const { assetCode, assetScale } = asset
    const account = accounts.find((own) => own.assetCode === assetCode && own.assetScale === assetScale)
    const inPaid = (account?.creditsPosted ?? 0n) + (account?.creditsPending ?? 0n)
    const inReceived = account?.debitsPosted ?? 0n
    const both = [before, after].map((sums) => sumsOf(sums, asset))
    const paidBounds = both.map(({ paid }) => paid)
    const receivedBounds = both.map(({ received }) => received)
    const paid = distance(inPaid, paidBounds)
    const received = distance(inReceived, receivedBounds)
    const net = paid - received
    const unit = `${assetCode} of scale ${assetScale}`
    const differences = [
      ...(paid === 0n
        ? []
        : [`paid or held for peers, in ${unit}: ${inPaid}, by the journal ${text(paidBounds)}`]),
      ...(received === 0n
        ? []
        : [`received from peers, in ${unit}: ${inReceived}, by the journal ${text(receivedBounds)}`]),
    ]
    if (differences.length > 0) differences.push(`money outside in ${unit}: the difference is ${net}`)
    const amount = magnitude(paid) + magnitude(received)
    return { accountId: undefined, engine, assetCode, assetScale, differences, amount, paid, received, net }
  })
}

function assetsOf({ totals, open }: JournalSums): { assetCode: string; assetScale: number }[] {
  const booked = totals.filter(({ kind }) => kind === 'posted' || kind === 'booked' || kind === 'suspended')
  return [...open, ...booked.map(({ assetCode, scale }) => ({ assetCode, assetScale: scale }))]
}

/** What the ledger must say of one asset, by the journal. */
function sumsOf(
  { attributed, credits, open, totals }: JournalSums,
  { assetCode, assetScale }: { assetCode: string; assetScale: number },
): { paid: Bounds; received: Bounds } {
  const isOurs = (one: { assetCode: string; scale: number }): boolean =>
    one.assetCode === assetCode && one.scale === assetScale
  const total = (kind: string): bigint => sum(totals.filter((one) => one.kind === kind && isOurs(one)))
  const orders = open.filter((order) => order.assetCode === assetCode && order.assetScale === assetScale)
  const given = attributed.filter(isOurs)
  const paid = total('posted') + sum(given.filter(({ isDone }) => isDone)) + sumAmounts(orders, TAKEN)
  const perhapsPaid = sum(given.filter(({ isDone }) => !isDone)) + sumAmounts(orders, PERHAPS_TAKEN)
  // What was attributed has been in SUSPENSE before: it came in twice and went out once.
  const received = total('booked') + total('suspended') + sum(given)
  const perhapsReceived = sum(
    credits
      .map((credit) => ({ assetCode: credit.assetCode, ...(credit.booked ?? credit.quantity) }))
      .filter(isOurs),
  )
  return {
    paid: { least: paid, most: paid + perhapsPaid },
    received: { least: received, most: received + perhapsReceived },
  }
}

function sum(parts: readonly { amount: bigint }[]): bigint {
  return parts.reduce((all, { amount }) => all + amount, 0n)
}

/** 0 inside any of the bounds, or between them: money moved while the ledger was read. */
function distance(actual: bigint, bounds: readonly Bounds[]): bigint {
  const below = bounds.map(({ least }) => actual - least)
  if (below.every((off) => off < 0n)) return below.toSorted(ascending).at(-1)!
  const above = bounds.map(({ most }) => actual - most)
  if (above.every((off) => off > 0n)) return above.toSorted(ascending)[0]!
  return 0n
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : 1
}

function text(bounds: readonly Bounds[]): string {
  const { least, most } = bounds.at(-1)!
  return least === most ? `${least}` : `${least} to ${most}`
}

function magnitude(amount: bigint): bigint {
  return amount < 0n ? -amount : amount
}
