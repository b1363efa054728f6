import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { within } from '../lib/within.ts'
import { compareAccount, type Discrepancy } from './compare-books.ts'
import { compareOutside } from './compare-outside.ts'
import type { EngineStatement, SettlementEngine } from './engine.ts'
import { type JournalSums, journalSums } from './journal-sums.ts'
import type { SettlementAlarms } from './settlement-alarms.ts'
import type { SettledAccount } from './settlement-coordinator.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import type { SettlementLedger } from './settlement-ledger.ts'

const EVERY_MS = 600_000
const CONFIRM_MS = 1_000
const STATEMENT_DEADLINE_MS = 30_000
/** Accounts that are looked at together: so many statements, and balances of the ledger, are asked for at a time. */
const TOGETHER = 50

export interface ReconciliationReport {
  readonly checkedAtMs: number
  /** Accounts of which something is known. */
  readonly accountsChecked: number
  /** Those that do not agree. */
  readonly discrepancies: readonly Discrepancy[]
  /** Accounts whose engine gave no answer: nothing is known of them. */
  readonly unchecked: readonly { accountId: string; reason: string }[]
}

export interface ReconciliationOptions {
  /** Milliseconds between checks. Default 600,000. */
  everyMs?: number
  /**
   * A difference counts when it is still there after this long: money under way is in one book before the other.
   * Default 1,000.
   */
  confirmMs?: number
  /** Default 30,000. */
  statementDeadlineMs?: number
  /** Whether pending amounts of the ledger are settlements only: not in shared mode, where packets are pending too. */
  pendingIsHeld: boolean
}

export interface ReconciliationDeps {
  journal: SettlementJournal
  ledger: Pick<SettlementLedger, 'balance' | 'balances'>
  accounts(): readonly SettledAccount[]
  engine(name: string): SettlementEngine | undefined
  clock: Clock
  logger: Logger
  alarms: SettlementAlarms
  /** For the metric: the sum that is off in the asset now, in units of its accounts; 0 when all agrees. */
  difference(engine: string, assetCode: string, amount: bigint): void
  /** For the metric: accounts of the engine of which nothing is known. */
  unchecked(engine: string, accounts: number): void
}

/** Checks that journal, ledger and engines tell the same of every account. It changes nothing. */
export class Reconciliation {
  readonly #options: Required<ReconciliationOptions>
  readonly #deps: ReconciliationDeps
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<ReconciliationReport> | undefined
  #last: ReconciliationReport | undefined

  constructor(options: ReconciliationOptions, deps: ReconciliationDeps) {
    this.#options = {
      everyMs: EVERY_MS,
      confirmMs: CONFIRM_MS,
      statementDeadlineMs: STATEMENT_DEADLINE_MS,
      ...options,
    }
    this.#deps = deps
  }

  /** The report of the last check, if there was one. */
  get last(): ReconciliationReport | undefined {
    return this.#last
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.check().catch((error: Error) => {
        if (this.#stopping.signal.aborted) return
        this.#deps.logger.error('settlements could not be reconciled', { reason: error.message })
      })
    }, this.#options.everyMs)
    this.#timer.unref()
  }

  /** A check under way ends with an error. */
  stop(): void {
    clearInterval(this.#timer)
    this.#stopping.abort()
  }

  /** Checks all accounts. Calls that come while a check runs get its report. */
  check(): Promise<ReconciliationReport> {
    this.#running ??= this.#check().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #check(): Promise<ReconciliationReport> {
    const accounts = this.#deps.accounts()
    const unchecked: { accountId: string; reason: string }[] = []
    const found = await this.#look(accounts, unchecked)
    const suspects = new Set(found.map(subjectOf))
    let confirmed: Discrepancy[] = []
    if (suspects.size > 0) {
      await delay(this.#options.confirmMs, undefined, { signal: this.#stopping.signal })
      const again = await this.#look(accounts.filter((account) => isSuspect(suspects, account)))
      confirmed = again.filter((discrepancy) => suspects.has(subjectOf(discrepancy)))
    }
    const report: ReconciliationReport = {
      checkedAtMs: this.#deps.clock.now(),
      accountsChecked: accounts.length - unchecked.length,
      discrepancies: confirmed,
      unchecked,
    }
    this.#tell(accounts, report)
    this.#last = report
    return report
  }

  async #look(
    accounts: readonly SettledAccount[],
    unchecked: { accountId: string; reason: string }[] = [],
  ): Promise<Discrepancy[]> {
    const { journal, ledger } = this.#deps
    const all: Discrepancy[] = []
    for (let from = 0; from < accounts.length; from += TOGETHER) {
      all.push(...(await this.#lookAt(accounts.slice(from, from + TOGETHER), unchecked)))
    }
    for (const engine of new Set(accounts.map(({ terms }) => terms.engine))) {
      const before = journalSums(journal, engine)
      const books = await ledger.balances()
      all.push(...compareOutside(engine, before, books, journalSums(journal, engine)))
    }
    return all.filter(({ differences }) => differences.length > 0)
  }

  /** The journal is read before and after the others, so that what moved meanwhile is no difference. */
  async #lookAt(
    accounts: readonly SettledAccount[],
    unchecked: { accountId: string; reason: string }[],
  ): Promise<Discrepancy[]> {
    const { journal, ledger } = this.#deps
    const sums = (): JournalSums[] =>
      accounts.map(({ account, terms }) => journalSums(journal, terms.engine, account.id))
    const before = sums()
    const books = this.#options.pendingIsHeld
      ? await Promise.all(accounts.map(({ account }) => ledger.balance(account)))
      : undefined
    const statements = await Promise.allSettled(accounts.map((settled) => this.#statement(settled)))
    const after = sums()
    return accounts.flatMap(({ account, terms }, at) => {
      const answer = statements[at]!
      if (answer.status === 'rejected') {
        const { reason } = answer
        unchecked.push({
          accountId: account.id,
          reason: reason instanceof Error ? reason.message : String(reason),
        })
        return []
      }
      const compared = compareAccount({
        accountId: account.id,
        assetCode: account.assetCode,
        assetScale: account.assetScale,
        engine: terms.engine,
        before: before[at]!,
        after: after[at]!,
        statement: answer.value,
        pending: books?.[at]?.debitsPending,
      })
      return [compared]
    })
  }

  async #statement({ account, terms }: SettledAccount): Promise<EngineStatement> {
    const engine = this.#deps.engine(terms.engine)
    if (engine === undefined) throw new Error(`the engine ${terms.engine} is not running`)
    const { statementDeadlineMs } = this.#options
    const late = (): Error => new Error(`no statement within ${statementDeadlineMs} ms`)
    return await within(engine.statement(account.id), statementDeadlineMs, late)
  }

  #tell(accounts: readonly SettledAccount[], report: ReconciliationReport): void {
    const { alarms, logger } = this.#deps
    for (const { engine, accountId, differences, amount } of report.discrepancies) {
      alarms.raise('difference', { engine, accountId, differences, amount: amount.toString() })
    }
    for (const { accountId, reason } of report.unchecked) {
      logger.warn('settlements of an account could not be reconciled', { accountId, reason })
    }
    const silent = new Set(report.unchecked.map(({ accountId }) => accountId))
    for (const [engine, settled] of Map.groupBy(accounts, ({ terms }) => terms.engine)) {
      this.#deps.unchecked(engine, settled.filter(({ account }) => silent.has(account.id)).length)
      for (const token of new Set(settled.map(({ account }) => account.assetCode))) {
        const own = report.discrepancies.filter((one) => one.engine === engine && one.assetCode === token)
        const amount = own.reduce((sum, one) => sum + one.amount, 0n)
        this.#deps.difference(engine, token, amount)
      }
    }
  }
}

function subjectOf({ engine, accountId }: Discrepancy): string {
  return accountId === undefined ? engine : `${engine} ${accountId}`
}

/** An engine's own money is looked at together with any of its accounts. */
function isSuspect(suspects: ReadonlySet<string>, { account, terms }: SettledAccount): boolean {
  return suspects.has(terms.engine) || suspects.has(`${terms.engine} ${account.id}`)
}
