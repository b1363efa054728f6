import { ServiceError } from '../admin/services.ts'
import type { ReceivedCredit } from './credit-journal.ts'
import {
  type ChannelOperations,
  type ChannelView,
  EngineConfigError,
  EngineUnavailableError,
  type SettlementEngine,
} from './engine.ts'
import type { OutgoingSettlement } from './outgoing-journal.ts'
import type { Reconciliation, ReconciliationReport } from './reconciliation.ts'
import type { SettlementCoordinator } from './settlement-coordinator.ts'
import {
  type JournalEntry,
  type JournalQuery,
  type SettlementJournal,
  sequenceOf,
} from './settlement-journal.ts'
import { type RefusalKind, SettlementRefusal } from './settlement-refusal.ts'

const PAGE_MAX = 1_000

/** One settlement, for operators. Amounts are decimal strings. */
export interface SettlementView {
  id: string
  direction: 'in' | 'out'
  /** Undefined for a credit that stands in SUSPENSE. */
  accountId: string | undefined
  engine: string
  assetCode: string
  /** Units of the account; undefined for a credit in SUSPENSE. */
  amount: string | undefined
  assetScale: number | undefined
  /** The same in the network's units. */
  quantity: { amount: string; scale: number }
  state: string
  /** What made us settle; undefined for credits. */
  cause: string | undefined
  /** Who paid, in the network's terms; undefined for our own settlements. */
  sender: string | undefined
  reason: string | undefined
  createdMs: number
  updatedMs: number
  cursor: string
}

export interface SettlementAccountView {
  accountId: string
  engine: string
  threshold: string
  settleTo: string
  intervalMs: number | undefined
  minAmount: string
  maxAmount: string | undefined
  /** By an operator. */
  paused: { reason: string; sinceMs: number } | undefined
  pausedByConfiguration: boolean
  /** Settlements that have not ended, and their sum in units of the account. */
  open: number
  openAmount: string
  /** When the oldest of them was planned, milliseconds since the epoch. */
  openSinceMs: number | undefined
  /** Received and too small to be booked yet. */
  remainder: { amount: string; scale: number }
  /** When a failed step is repeated, milliseconds since the epoch. */
  retryAtMs: number | undefined
}

export interface SettlementServiceDeps {
  coordinator: SettlementCoordinator
  journal: SettlementJournal
  reconciliation: Reconciliation
}

/** What operators see and do of settlements. Expected refusals are thrown as `ServiceError`. */
export class Settlements {
  readonly #deps: SettlementServiceDeps

  constructor(deps: SettlementServiceDeps) {
    this.#deps = deps
  }

  /** Newest first; `before` is the `cursor` of the last one of the page before. */
  list(query: {
    accountId?: string
    direction?: 'in' | 'out'
    before?: string
    limit: number
  }): SettlementView[] {
    const { accountId, direction, limit } = query
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX) {
      throw invalid('limit', `limit must be a whole number from 1 to ${PAGE_MAX}`)
    }
    const bounds: JournalQuery = { accountId, direction, limit, before: parseCursor(query.before) }
    return this.#deps.journal.page(bounds).map(settlementView)
  }

  /** By the id of an outgoing settlement, or of a credit. */
  get(id: string): SettlementView | undefined {
    const { journal } = this.#deps
    const settlement = journal.outgoing.get(id)
    if (settlement !== undefined) return settlementView({ direction: 'out', settlement })
    const [credit] = journal.credits.find(id)
    return credit === undefined ? undefined : settlementView({ direction: 'in', credit })
  }

  accounts(): SettlementAccountView[] {
    const { coordinator, journal } = this.#deps
    return coordinator.settledAccounts.map(({ account, terms }) => {
      const open = journal.outgoing.open(account.id)
      const remainder = journal.credits.remainder(terms.engine, account)
      return {
        accountId: account.id,
        engine: terms.engine,
        threshold: terms.threshold.toString(),
        settleTo: terms.settleTo.toString(),
        intervalMs: terms.intervalMs,
        minAmount: terms.minAmount.toString(),
        maxAmount: terms.maxAmount?.toString(),
        paused: journal.pauseOf(account.id),
        pausedByConfiguration: terms.paused,
        open: open.length,
        openAmount: open.reduce((sum, order) => sum + order.amount, 0n).toString(),
        openSinceMs: open[0]?.createdMs,
        remainder: { amount: remainder.amount.toString(), scale: remainder.scale },
        retryAtMs: coordinator.retryAtMs(account.id),
      }
    })
  }

  /** @param amount decimal string, units of the account; undefined: all that is above `settleTo` */
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

  reconcile(): Promise<ReconciliationReport> {
    return this.#deps.reconciliation.check()
  }

  /** Gives a credit in SUSPENSE to an account. `engine` is needed only when two engines have the same credit id. */
  async attribute(creditId: string, accountId: string, engine?: string): Promise<SettlementView> {
    const { journal, coordinator } = this.#deps
    const credits = journal.credits
      .find(creditId)
      .filter((credit) => engine === undefined || credit.engine === engine)
    const [first] = credits
    if (first === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `there is no credit ${creditId}`)
    if (credits.length > 1)
      throw invalid('engine', `several engines have a credit ${creditId}: name the engine`)
    const credit = await refusing(() => coordinator.credits.attribute(first.engine, creditId, accountId))
    coordinator.balanceChanged(accountId)
    return settlementView({ direction: 'in', credit })
  }

  /** Channels of all engines, each with the engine it belongs to. */
  channels(): (ChannelView & { engine: string })[] {
    return this.#deps.coordinator.engines.flatMap((engine) =>
      engine.channels().map((channel) => ({ ...channel, engine: engine.name })),
    )
  }

  async openChannel(accountId: string, deposit: string): Promise<ChannelView> {
    const settled = this.#deps.coordinator.settledAccount(accountId)
    if (settled === undefined) {
      throw new ServiceError('RESOURCE_NOT_FOUND', `account "${accountId}" has no settlement configured`)
    }
    const { engine: name } = settled.terms
    const engine = this.#deps.coordinator.engine(name)
    if (engine === undefined)
      throw new ServiceError('SERVICE_UNAVAILABLE', `the engine ${name} is not running`)
    const amount = parseAmount('deposit', deposit)
    return await refusing(() => operationsOf(engine).open(accountId, amount))
  }

  async topUpChannel(channelId: string, amount: string): Promise<ChannelView> {
    const units = parseAmount('amount', amount)
    return await this.#operate(channelId, (operations) => operations.topUp(channelId, units))
  }

  async claimChannel(channelId: string): Promise<ChannelView> {
    return await this.#operate(channelId, (operations) => operations.claim(channelId))
  }

  async closeChannel(channelId: string): Promise<ChannelView> {
    return await this.#operate(channelId, (operations) => operations.close(channelId))
  }

  async #operate(
    channelId: string,
    action: (operations: ChannelOperations) => Promise<ChannelView>,
  ): Promise<ChannelView> {
    const engine = this.#deps.coordinator.engines.find((candidate) =>
      candidate.channels().some(({ id }) => id === channelId),
    )
    if (engine === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `there is no channel ${channelId}`)
    return await refusing(() => action(operationsOf(engine)))
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
    if (error instanceof EngineConfigError) {
      throw new ServiceError('VALIDATION_ERROR', error.message, [
        { field: `settlement.options.${error.path}`, message: error.message },
      ])
    }
    throw error
  }
}

function operationsOf(engine: SettlementEngine): ChannelOperations {
  if (engine.operations !== undefined) return engine.operations
  throw new SettlementRefusal('unsupported', `the engine ${engine.name} has no channels to operate`)
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

function settlementView(entry: JournalEntry): SettlementView {
  const cursor = sequenceOf(entry).toString()
  return entry.direction === 'out'
    ? { ...outgoingView(entry.settlement), cursor }
    : { ...creditView(entry.credit), cursor }
}

function outgoingView(settlement: OutgoingSettlement): Omit<SettlementView, 'cursor'> {
  const { id, accountId, engine, assetCode, assetScale, state, cause, reason, createdMs, updatedMs } =
    settlement
  const quantity = quantityView(settlement.quantity)
  const amount = settlement.amount.toString()
  const direction = 'out'
  return {
    id,
    direction,
    accountId,
    engine,
    assetCode,
    amount,
    assetScale,
    quantity,
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

function quantityView({ amount, scale }: { amount: bigint; scale: number }): {
  amount: string
  scale: number
} {
  return { amount: amount.toString(), scale }
}
