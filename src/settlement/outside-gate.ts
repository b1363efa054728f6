import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { within } from '../lib/within.ts'
import { BackOff } from './back-off.ts'
import { compareOutside, type OutsideDifference } from './compare-outside.ts'
import { journalSums } from './journal-sums.ts'
import type { SettlementAlarms } from './settlement-alarms.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import type { SettlementLedger } from './settlement-ledger.ts'

const LOOK_AGAIN = { firstMs: 1_000, maxMs: 60_000 }
/** Of the ledger's answer; one that comes later is not waited for. */
const LEDGER_DEADLINE_MS = 30_000

export interface OutsideGateDeps {
  journal: SettlementJournal
  ledger: Pick<SettlementLedger, 'balances'>
  clock: Clock
  logger: Logger
  alarms: SettlementAlarms
  /** The gate of that engine has opened: there may be something to do. */
  opened(engine: string): void
}

interface Passage {
  isOpen: boolean
  /** Why not. */
  reason: string
  readonly backOff: BackOff
  /** What the alarm was raised for. */
  alarmed: string
  looking: Promise<void> | undefined
}

/**
 * Nothing is planned or handed over by an engine before ledger and journal are seen to agree on the money that it has
 * moved, once per start: when one of the two was lost, or restored from an older copy, the next orders would be paid
 * twice, or never. It opens by itself as soon as they agree.
 */
export class OutsideGate {
  readonly #deps: OutsideGateDeps
  readonly #passages = new Map<string, Passage>()

  constructor(deps: OutsideGateDeps) {
    this.#deps = deps
  }

  /** Why nothing is planned or handed over by an engine; undefined when it is. */
  shutReason(engine: string): string | undefined {
    const passage = this.#passages.get(engine)
    return passage === undefined || passage.isOpen ? undefined : passage.reason
  }

  /** The engine is shut, until {@link look} has found that the books agree. Idempotent. */
  guard(engine: string): void {
    if (this.#passages.has(engine)) return
    const reason = 'ledger and journal were not compared yet'
    const backOff = new BackOff(LOOK_AGAIN)
    this.#passages.set(engine, { isOpen: false, reason, backOff, alarmed: '', looking: undefined })
  }

  /** Looks again where it is due. */
  tick(nowMs: number): void {
    for (const [engine, { backOff, isOpen }] of this.#passages) {
      if (!isOpen && backOff.isDue(nowMs)) void this.look(engine)
    }
  }

  /** Compares now and opens when they agree. Never rejects; calls that come meanwhile share it. */
  async look(engine: string): Promise<void> {
    const passage = this.#passages.get(engine)
    if (passage === undefined || passage.isOpen) return
    passage.looking ??= this.#look(engine, passage).finally(() => {
      passage.looking = undefined
    })
    await passage.looking
  }

  /** Resolves when nothing is being compared. */
  async idle(): Promise<void> {
    for (const { looking } of this.#passages.values()) await looking
  }

  async #look(engine: string, passage: Passage): Promise<void> {
    const { clock, logger } = this.#deps
    try {
      const found = await this.#compare(engine)
      if (found.length === 0) {
        passage.isOpen = true
        logger.info('ledger and journal agree: settlements go on', { engine })
        this.#deps.opened(engine)
        return
      }
      passage.reason = describe(engine, found)
      this.#alarm(engine, passage, found)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      passage.reason = `ledger and journal cannot be compared now: ${reason}`
      logger.warn('settlements wait: ledger and journal cannot be compared', { engine, reason })
    }
    passage.backOff.failed(clock.now())
  }

  async #compare(engine: string): Promise<OutsideDifference[]> {
    const { journal, ledger } = this.#deps
    const before = journalSums(journal, engine)
    const late = () => new Error(`the ledger did not answer within ${LEDGER_DEADLINE_MS} ms`)
    const books = await within(ledger.balances(), LEDGER_DEADLINE_MS, late)
    const all = compareOutside(engine, before, books, journalSums(journal, engine))
    return all.filter(({ differences }) => differences.length > 0)
  }

  /** Once for each set of figures. */
  #alarm(engine: string, passage: Passage, found: readonly OutsideDifference[]): void {
    if (passage.alarmed === passage.reason) return
    passage.alarmed = passage.reason
    for (const { assetCode, assetScale, differences, net } of found) {
      const fields = { engine, assetCode, assetScale, differences, difference: net.toString() }
      this.#deps.alarms.raise('books-mismatch', fields)
    }
  }
}

function describe(engine: string, found: readonly OutsideDifference[]): string {
  const told = found.map(({ assetCode, differences, net }) => {
    const verb = `causeway settlements accept-difference ${engine} --asset ${assetCode} --amount ${net}`
    return `${differences.join('; ')} (to go on as the ledger has it: ${verb})`
  })
  return `ledger and journal do not agree: ${told.join('; ')}`
}
