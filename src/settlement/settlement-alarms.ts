import type { Logger } from '../lib/logger.ts'

/** What an operator must look at. */
export const SETTLEMENT_ALARMS = {
  account: 'an engine does not serve an account as it is configured',
  refused: 'an engine refused a settlement for good',
  conflict: 'an engine knows a settlement id with other fields',
  contradiction: 'an engine told an end that contradicts what is known',
  books: 'the ledger refuses what the journal says',
  difference: 'ledger, journal and engine do not agree',
  'books-mismatch': 'ledger and journal do not agree: nothing is planned or handed over until they do',
} as const
export type SettlementAlarm = keyof typeof SETTLEMENT_ALARMS

/** Counts alarms since start and logs each. */
export class SettlementAlarms {
  readonly counts: Record<SettlementAlarm, number> = {
    account: 0,
    refused: 0,
    conflict: 0,
    contradiction: 0,
    books: 0,
    difference: 0,
    'books-mismatch': 0,
  }
  readonly #logger: Logger
  readonly #raised: (alarm: SettlementAlarm) => void

  /** @param raised called for each, after it was counted */
  constructor(logger: Logger, raised: (alarm: SettlementAlarm) => void = () => undefined) {
    this.#logger = logger
    this.#raised = raised
  }

  raise(alarm: SettlementAlarm, fields: Record<string, unknown>): void {
    this.counts[alarm]++
    this.#logger.error(`alarm: ${SETTLEMENT_ALARMS[alarm]}`, fields)
    this.#raised(alarm)
  }
}
