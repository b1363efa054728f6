import type { EngineStatement, Quantity } from './engine.ts'
import { type JournalSums, sumAmounts, sumOfKind, sumOrdered, sumQuantities } from './journal-sums.ts'
import type { OutgoingState } from './outgoing-state.ts'
import { addQuantities, convertQuantity } from './quantity.ts'

/** What does not agree for one account; or, without an account, for all money of an engine in one asset. */
export interface Discrepancy {
  readonly accountId: string | undefined
  readonly engine: string
  readonly assetCode: string
  readonly assetScale: number
  /** One sentence each; empty when everything agrees. */
  readonly differences: readonly string[]
  /** Sum of the differences, in units of the account or asset, rounded up; 0 for those that are no amount. */
  readonly amount: bigint
}

/** States in which the ledger holds the amount for sure. */
const HELD: readonly OutgoingState[] = ['held', 'handed-over']
/** States in which the ledger may hold it: one of the two is a step ahead. */
const PERHAPS_HELD: readonly OutgoingState[] = [...HELD, 'planned', 'unholdable', 'carried-out', 'declined']

export interface AccountBooks {
  accountId: string
  assetCode: string
  assetScale: number
  engine: string
  /** The journal before and after the others were asked. */
  before: JournalSums
  after: JournalSums
  statement: EngineStatement
  /** What the ledger holds of the account; undefined when that cannot be told apart from packets. */
  pending: bigint | undefined
}

/** Journal, engine and ledger of one account. */
export function compareAccount(books: AccountBooks): Discrepancy {
  const { accountId, assetCode, assetScale, engine, before, after, statement, pending } = books
  const found = new Differences(assetScale)
  const both = [before, after]
  const taken = (sums: JournalSums, states: OutgoingState[]): Quantity =>
    addQuantities(sumOfKind(sums, 'carried-out'), sumOrdered(sums, states))
  found.check('orders that the engine has', addQuantities(statement.settled, statement.open), {
    from: both.map((sums) => taken(sums, ['handed-over'])),
    // A hand-over without an answer may have been heard.
    to: both.map((sums) => taken(sums, ['handed-over', 'held'])),
  })
  found.check('orders that the engine has carried out', statement.settled, {
    from: both.map((sums) => sumOfKind(sums, 'carried-out')),
    to: both.map((sums) => taken(sums, ['handed-over', 'held'])),
  })
  const told = both.map((sums) => sumOfKind(sums, 'told'))
  found.check('credits that the engine has told', statement.credited, { from: told, to: told })
  if (pending !== undefined) {
    const held = (states: readonly OutgoingState[]): Quantity[] =>
      both.map((sums) =>
        addQuantities({ amount: sumAmounts(sums.held, states), scale: assetScale }, sumOfKind(sums, 'held')),
      )
    const amount = { amount: pending, scale: assetScale }
    found.check('what the ledger holds', amount, { from: held(HELD), to: held(PERHAPS_HELD) })
  }
  for (const difference of statement.differences) found.note(`engine and network: ${difference}`)
  return { accountId, engine, assetCode, assetScale, ...found.result() }
}

/** Collects what is outside its bounds. */
class Differences {
  readonly #scale: number
  readonly #texts: string[] = []
  #amount = 0n

  constructor(scale: number) {
    this.#scale = scale
  }

  /** `actual` must be from the least of `from` to the most of `to`. */
  check(
    what: string,
    actual: Quantity,
    bounds: { from: readonly Quantity[]; to: readonly Quantity[] },
  ): void {
    const { scale } = sumQuantities([actual, ...bounds.from, ...bounds.to])
    const at = (quantity: Quantity): bigint => convertQuantity(quantity, scale).amount
    this.#compare(what, at(actual), { from: bounds.from.map(at), to: bounds.to.map(at) }, scale)
  }

  note(text: string): void {
    this.#texts.push(text)
  }

  result(): { differences: readonly string[]; amount: bigint } {
    return { differences: this.#texts, amount: this.#amount }
  }

  #compare(
    what: string,
    actual: bigint,
    bounds: { from: readonly bigint[]; to: readonly bigint[] },
    scale: number,
  ): void {
    const isBelow = bounds.from.every((from) => actual < from)
    const isAbove = bounds.to.every((to) => actual > to)
    if (!isBelow && !isAbove) return
    const distances = isBelow ? bounds.from.map((from) => from - actual) : bounds.to.map((to) => actual - to)
    const [off = 0n] = distances.sort((a, b) => (a < b ? -1 : 1))
    const expected = [...new Set([...bounds.from, ...bounds.to])].join(' or ')
    this.#texts.push(`${what}: ${actual}, by the journal ${expected} (scale ${scale})`)
    const { amount, remainder } = convertQuantity({ amount: off, scale }, this.#scale)
    this.#amount += remainder.amount > 0n ? amount + 1n : amount
  }
}
