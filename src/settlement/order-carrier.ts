import type { LedgerAccount } from '../ledger/ledger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger/ledger-store.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/within.ts'
import type { SettlementMetrics } from '../observability/settlement-metrics.ts'
import { EngineUnavailableError, OrderConflictError, type SettlementEngine } from './engine.ts'
import type { OutgoingJournal, OutgoingSettlement } from './outgoing-journal.ts'
import type { SettlementAlarms } from './settlement-alarms.ts'
import type { SettlementLedger } from './settlement-ledger.ts'

export interface OrderCarrierDeps {
  journal: OutgoingJournal
  ledger: SettlementLedger
  engine(name: string): SettlementEngine | undefined
  clock: Clock
  alarms: SettlementAlarms
  metrics: SettlementMetrics
}

/**
 * Takes an order from one state to the next: one call of ledger or engine, then one transaction of the journal. Every
 * step may be repeated after any crash or error; a step that throws has changed nothing that repeating it would not.
 */
export class OrderCarrier {
  readonly #deps: OrderCarrierDeps
  readonly #handOverDeadlineMs: number

  constructor(options: { handOverDeadlineMs: number }, deps: OrderCarrierDeps) {
    this.#deps = deps
    this.#handOverDeadlineMs = options.handOverDeadlineMs
  }

  /** `planned`: holds the amount. A refusal of the ledger makes the order `unholdable`. */
  async hold(order: OutgoingSettlement, account: LedgerAccount): Promise<void> {
    const { ledger, journal } = this.#deps
    const { id, engine, amount } = order
    try {
      await ledger.holdSettlement({ id, account, engine, amount })
    } catch (error) {
      if (!(error instanceof LedgerFaultError)) throw error
      await this.#checkLedgerWorks(error)
      journal.advance(id, 'unholdable', `the ledger refused to hold the amount: ${error.message}`)
      return
    }
    journal.advance(id, 'held')
  }

  /** `held`: hands the order to its engine. Anything but its word that it has the order leaves it held. */
  async handOver(order: OutgoingSettlement): Promise<void> {
    const { journal, alarms } = this.#deps
    const { id, accountId, quantity } = order
    const engine = this.#deps.engine(order.engine)
    if (engine === undefined)
      throw new EngineUnavailableError(`the engine ${order.engine} is not running: configure it`)
    const late = (): Error =>
      new EngineUnavailableError(`no answer within ${this.#handOverDeadlineMs} ms: it may have the order`)
    try {
      await within(engine.settle({ id, accountId, quantity }), this.#handOverDeadlineMs, late)
    } catch (error) {
      if (error instanceof OrderConflictError) {
        alarms.raise('conflict', { settlementId: id, accountId, engine: order.engine, reason: error.message })
      }
      throw error
    }
    // The engine may have told the end of it meanwhile.
    if (journal.get(id)?.state === 'held') journal.advance(id, 'handed-over')
  }

  /** `carried-out`: posts what is held. */
  async post(order: OutgoingSettlement): Promise<void> {
    const { ledger, journal, metrics, clock } = this.#deps
    try {
      await ledger.postSettlement(order.id)
    } catch (error) {
      this.#tellFault(order, error)
      throw error
    }
    if (!journal.advance(order.id, 'settled')) return
    metrics.settled({
      method: order.engine,
      token: order.assetCode,
      amount: order.quantity.amount,
      durationSeconds: Math.max(0, clock.now() - order.createdMs) / 1000,
    })
  }

  /** `declined` and `unholdable`: gives back what is held. */
  async giveBack(order: OutgoingSettlement): Promise<void> {
    const { ledger, journal, metrics, clock } = this.#deps
    try {
      await ledger.voidSettlement(order.id)
    } catch (error) {
      if (order.state !== 'unholdable' || !(error instanceof LedgerFaultError)) {
        this.#tellFault(order, error)
        throw error
      }
      // Nothing was ever held: a ledger that works and does not know the id says so.
      await this.#checkLedgerWorks(error)
    }
    if (!journal.advance(order.id, 'refused')) return
    const durationSeconds = Math.max(0, clock.now() - order.createdMs) / 1000
    metrics.failed({ method: order.engine, durationSeconds })
  }

  /** A ledger that has failed refuses everything: that says nothing about this call. */
  async #checkLedgerWorks(error: LedgerFaultError): Promise<void> {
    await this.#deps.ledger.probe()
    if (!this.#deps.ledger.available) throw new LedgerUnavailableError(error.message)
  }

  #tellFault(order: OutgoingSettlement, error: unknown): void {
    if (!(error instanceof LedgerFaultError)) return
    const { id, accountId, state } = order
    this.#deps.alarms.raise('books', { settlementId: id, accountId, state, reason: error.message })
  }
}
