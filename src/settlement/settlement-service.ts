import {
  type AcceptedDifferenceView,
  type DifferenceAcceptance,
  type PaymentChannelView,
  type ReconciliationView,
  ServiceError,
  type SettlementAccountView,
  type SettlementEngineView,
  type SettlementQuery,
  type SettlementService,
  type SettlementView,
} from '../admin/services.ts'
import { LedgerUnavailableError } from '../ledger/ledger-store.ts'
import { CreditConflictError } from './credit-journal.ts'
import {
  type ChannelOperations,
  type ChannelView,
  EngineConfigError,
  EngineUnavailableError,
  type OrderVerdict,
  PeerMessageError,
  ResumeRefusedError,
  type SettlementEngine,
} from './engine.ts'
import type { ConfiguredEngine } from './engine-start.ts'
import { engineTrouble } from './engine-trouble.ts'
import type { Reconciliation } from './reconciliation.ts'
import type { SettledAccount, SettlementCoordinator } from './settlement-coordinator.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import { type RefusalKind, SettlementRefusal } from './settlement-refusal.ts'
import {
  acceptedView,
  channelView,
  quantityView,
  reconciliationView,
  settlementView,
} from './settlement-views.ts'

/** Rows of one page: read at once, while packets wait. */
const PAGE_MAX = 1_000
/** Each account costs three queries, some 0.1 ms. */
const ACCOUNTS_PAGE_MAX = 200
/** Of an operator's words in the journal. */
const REASON_LENGTH_MAX = 500

export interface SettlementServiceDeps {
  coordinator: SettlementCoordinator
  journal: SettlementJournal
  reconciliation: Reconciliation
  /** Those of the configuration. */
  engines(): readonly ConfiguredEngine[]
}

/** What operators see and do of settlements. Expected refusals are thrown as `ServiceError`. */
export class Settlements implements SettlementService {
  readonly #deps: SettlementServiceDeps

  constructor(deps: SettlementServiceDeps) {
    this.#deps = deps
  }

  list(query: SettlementQuery): SettlementView[] {
    checkLimit(query.limit, PAGE_MAX)
    const bounds = { ...query, before: parseCursor(query.before) }
    return this.#deps.journal.page(bounds).map(settlementView)
  }

  get(id: string): SettlementView | undefined {
    const { journal } = this.#deps
    const settlement = journal.outgoing.get(id)
    if (settlement !== undefined) return settlementView({ direction: 'out', settlement })
    const [credit] = journal.credits.find(id)
    return credit === undefined ? undefined : settlementView({ direction: 'in', credit })
  }

  accounts({ offset, limit }: { offset: number; limit: number }): {
    accounts: SettlementAccountView[]
    total: number
  } {
    checkLimit(limit, ACCOUNTS_PAGE_MAX)
    const { settledAccounts } = this.#deps.coordinator
    const page = settledAccounts.slice(offset, offset + limit)
    return { accounts: page.map((settled) => this.#accountView(settled)), total: settledAccounts.length }
  }

  account(accountId: string): SettlementAccountView | undefined {
    const settled = this.#deps.coordinator.settledAccount(accountId)
    return settled === undefined ? undefined : this.#accountView(settled)
  }

  async settleNow(accountId: string, amount: string | undefined): Promise<SettlementView[]> {
    const units = amount === undefined ? undefined : parseAmount('amount', amount)
    const planned = await refusing(() => this.#deps.coordinator.settleNow(accountId, units))
    return planned.map((settlement) => settlementView({ direction: 'out', settlement }))
  }

  async pause(accountId: string, reason: string): Promise<void> {
    await refusing(async () => this.#deps.coordinator.pause(accountId, reason))
  }

  async resume(accountId: string): Promise<void> {
    await refusing(async () => this.#deps.coordinator.resume(accountId))
  }

  /**
   * Ends an outgoing settlement that its engine cannot end: it lost its books, or refuses for ever. Dangerous: `paid`
   * writes the amount off, `not-paid` gives it back to the balance, from where it is settled again.
   * @param verdict.doubtful that the operator has made sure where the money moves: needed when the engine may have
   * heard of the order
   */
  async abandon(id: string, verdict: OrderVerdict): Promise<SettlementView> {
    const said = { ...verdict, reason: `by an operator: ${checkReason(verdict.reason)}` }
    await refusing(() => this.#deps.coordinator.abandon(id, said))
    return this.get(id)!
  }

  async acceptDifference(
    engine: string,
    { amount, assetCode, assetScale, reason }: DifferenceAcceptance,
  ): Promise<AcceptedDifferenceView> {
    if (!/^(0|-?[1-9]\d{0,37})$/.test(amount)) {
      throw invalid(
        'amount',
        'amount must be a whole number as a string, with "-" before it when it is below 0',
      )
    }
    const said = checkReason(reason)
    const acceptance = { assetCode, assetScale, amount: BigInt(amount), reason: said }
    return acceptedView(await refusing(() => this.#deps.coordinator.acceptDifference(engine, acceptance)))
  }

  async reconcile(): Promise<ReconciliationView> {
    return reconciliationView(await refusing(() => this.#deps.reconciliation.check()))
  }

  lastReconciliation(): ReconciliationView | undefined {
    const { last } = this.#deps.reconciliation
    return last === undefined ? undefined : reconciliationView(last)
  }

  async attribute(creditId: string, accountId: string, engine: string | undefined): Promise<SettlementView> {
    const { journal, coordinator } = this.#deps
    const credits = journal.credits
      .find(creditId)
      .filter((credit) => engine === undefined || credit.engine === engine)
    const [first] = credits
    if (first === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `there is no credit ${creditId}`)
    if (credits.length > 1)
      throw invalid('engine', `several engines have a credit ${creditId}: name the engine`)
    const credit = await refusing(() => coordinator.attribute(first.engine, creditId, accountId))
    return settlementView({ direction: 'in', credit })
  }

  engines(): SettlementEngineView[] {
    return this.#deps.engines().map((configured) => this.#engineView(configured))
  }

  async resumeEngine(name: string): Promise<SettlementEngineView> {
    const configured = () => this.#deps.engines().find((engine) => engine.name === name)
    if (configured() === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `there is no engine ${name}`)
    const engine = this.#running(name)
    if (engine.resume === undefined) {
      throw new ServiceError('NOT_SUPPORTED', `the engine ${name} never halts: there is nothing to resume`)
    }
    await refusing(() => engine.resume!())
    return this.#engineView(configured()!)
  }

  channels(): PaymentChannelView[] {
    return this.#deps.coordinator.engines.flatMap((engine) =>
      channelsOf(engine).map((channel) => this.#channelView(channel, engine)),
    )
  }

  channel(channelId: string): PaymentChannelView | undefined {
    return this.channels().find(({ id }) => id === channelId)
  }

  async openChannel(accountId: string, deposit: string): Promise<PaymentChannelView> {
    const settled = this.#deps.coordinator.settledAccount(accountId)
    if (settled === undefined) {
      throw new ServiceError('RESOURCE_NOT_FOUND', `account "${accountId}" has no settlement configured`)
    }
    const engine = this.#running(settled.terms.engine)
    const amount = parseAmount('deposit', deposit)
    return this.#channelView(await operating(() => operationsOf(engine).open(accountId, amount)), engine)
  }

  async topUpChannel(channelId: string, amount: string): Promise<PaymentChannelView> {
    const units = parseAmount('amount', amount)
    return await this.#operate(channelId, (operations) => operations.topUp(channelId, units))
  }

  async claimChannel(channelId: string): Promise<PaymentChannelView> {
    return await this.#operate(channelId, (operations) => operations.claim(channelId))
  }

  async closeChannel(channelId: string): Promise<PaymentChannelView> {
    return await this.#operate(channelId, (operations) => operations.close(channelId))
  }

  async #operate(
    channelId: string,
    action: (operations: ChannelOperations) => Promise<ChannelView>,
  ): Promise<PaymentChannelView> {
    const engine = this.#deps.coordinator.engines.find((candidate) =>
      channelsOf(candidate).some(({ id }) => id === channelId),
    )
    if (engine === undefined)
      throw new ServiceError('RESOURCE_NOT_FOUND', `no engine that runs has a channel ${channelId}`)
    return this.#channelView(await operating(() => action(operationsOf(engine))), engine)
  }

  #running(name: string): SettlementEngine {
    const engine = this.#deps.coordinator.engine(name)
    if (engine !== undefined) return engine
    throw new ServiceError('SERVICE_UNAVAILABLE', `the engine ${name} is not running`)
  }

  #engineView({ lastError, name, sinceMs, type }: ConfiguredEngine): SettlementEngineView {
    const { coordinator, journal } = this.#deps
    const engine = coordinator.engine(name)
    const channels = engine === undefined ? [] : channelsOf(engine)
    return {
      name,
      type,
      running: engine !== undefined,
      sinceMs,
      lastError,
      trouble: engine === undefined ? undefined : (engineTrouble(engine) ?? coordinator.shutReason(name)),
      accounts: coordinator.settledAccounts.filter(({ terms }) => terms.engine === name).length,
      ...journal.waiting(name),
      channels: channels.filter(({ state }) => state !== 'closed').length,
    }
  }

  #accountView({ account, terms }: SettledAccount): SettlementAccountView {
    const { coordinator, journal } = this.#deps
    const { id, assetCode, assetScale } = account
    const engine = coordinator.engine(terms.engine)
    const open = journal.outgoing.open(id)
    return {
      accountId: id,
      engine: terms.engine,
      engineRunning: engine !== undefined,
      assetCode,
      assetScale,
      engineScale: engine === undefined ? undefined : scaleOf(engine, id),
      threshold: terms.threshold.toString(),
      settleTo: terms.settleTo.toString(),
      intervalMs: terms.intervalMs,
      minAmount: terms.minAmount.toString(),
      maxAmount: terms.maxAmount?.toString(),
      paused: journal.pauseOf(id),
      pausedByConfiguration: terms.paused,
      shutReason: engine === undefined ? undefined : coordinator.shutReason(engine.name),
      open: open.length,
      openAmount: open.reduce((sum, order) => sum + order.amount, 0n).toString(),
      openSinceMs: open[0]?.createdMs,
      remainder: quantityView(journal.credits.remainder(terms.engine, account)),
      retryAtMs: coordinator.retryAtMs(id),
    }
  }

  #channelView(channel: ChannelView, engine: SettlementEngine): PaymentChannelView {
    const settled = this.#deps.coordinator.settledAccount(channel.accountId)
    return channelView(channel, { engine: engine.name, assetCode: settled?.account.assetCode })
  }
}

const CODES: Readonly<Record<RefusalKind, ServiceError['code']>> = {
  invalid: 'VALIDATION_ERROR',
  'not-found': 'RESOURCE_NOT_FOUND',
  conflict: 'CONFLICT',
  unavailable: 'SERVICE_UNAVAILABLE',
  unsupported: 'NOT_SUPPORTED',
}

/** Turns the refusals of coordinator and engines into those of the admin API. */
async function refusing<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof SettlementRefusal) throw new ServiceError(CODES[error.kind], error.message)
    if (error instanceof EngineUnavailableError) throw new ServiceError('SERVICE_UNAVAILABLE', error.message)
    if (error instanceof ResumeRefusedError) throw new ServiceError('CONFLICT', error.message)
    if (error instanceof CreditConflictError) throw new ServiceError('CONFLICT', error.message)
    if (error instanceof LedgerUnavailableError) {
      const message = 'the ledger does not answer now; what was stored is carried on with by itself'
      throw new ServiceError('SERVICE_UNAVAILABLE', message)
    }
    if (error instanceof EngineConfigError) {
      throw new ServiceError('VALIDATION_ERROR', error.message, [
        { field: `settlement.options.${error.path}`, message: error.message },
      ])
    }
    throw error
  }
}

/** As {@link refusing}, for `ChannelOperations`. */
async function operating<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await refusing(action)
  } catch (error) {
    if (error instanceof RangeError) throw new ServiceError('CONFLICT', error.message)
    if (error instanceof PeerMessageError) {
      throw new ServiceError('SERVICE_UNAVAILABLE', `the peer gave no good answer: ${error.message}`)
    }
    throw error
  }
}

/** An engine that is just started may not have heard of the account yet. */
function scaleOf(engine: SettlementEngine, accountId: string): number | undefined {
  try {
    return engine.scaleOf(accountId)
  } catch {
    return undefined
  }
}

/** An engine that is just being stopped or started shows none. */
function channelsOf(engine: SettlementEngine): readonly ChannelView[] {
  try {
    return engine.channels()
  } catch (error) {
    if (error instanceof EngineUnavailableError) return []
    throw error
  }
}

function operationsOf(engine: SettlementEngine): ChannelOperations {
  if (engine.operations !== undefined) return engine.operations
  throw new SettlementRefusal('unsupported', `the engine ${engine.name} has no channels to operate`)
}

function checkReason(text: string): string {
  const reason = text.trim()
  if (reason !== '' && reason.length <= REASON_LENGTH_MAX) return reason
  throw invalid('reason', `say in 1 to ${REASON_LENGTH_MAX} characters how you know`)
}

function checkLimit(limit: number, max: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= max) return
  throw invalid('limit', `limit must be a whole number from 1 to ${max}`)
}

function parseAmount(field: string, text: string): bigint {
  if (/^[1-9]\d{0,37}$/.test(text)) return BigInt(text)
  throw invalid(field, `${field} must be a whole number above 0, as a string of at most 38 digits`)
}

function parseCursor(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw invalid('before', 'before must be the cursor of a settlement')
}

function invalid(field: string, message: string): ServiceError {
  return new ServiceError('VALIDATION_ERROR', message, [{ field, message }])
}
