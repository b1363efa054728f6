import type { LedgerAccount } from '../ledger/ledger.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { SteadyClock } from '../lib/steady-clock.ts'
import { within } from '../lib/within.ts'
import type { SettlementMetrics } from '../observability/settlement-metrics.ts'
import { abandonSettlement } from './abandon-settlement.ts'
import { acceptDifference, type DifferenceAcceptance } from './accept-difference.ts'
import type { AcceptedDifference } from './accepted-differences.ts'
import { AccountSettler } from './account-settler.ts'
import { ChannelMetrics } from './channel-metrics.ts'
import type { ReceivedCredit } from './credit-journal.ts'
import { CreditRetries } from './credit-retries.ts'
import type { EngineAccount, EngineHost, OrderVerdict, SettlementEngine } from './engine.ts'
import { hostOrders } from './host-orders.ts'
import { IncomingCredits } from './incoming-credits.ts'
import { OrderCarrier } from './order-carrier.ts'
import { type OrderEnd, orderEnded } from './order-ended.ts'
import type { OutgoingSettlement } from './outgoing-journal.ts'
import { OutsideGate } from './outside-gate.ts'
import type { SettlementAlarms } from './settlement-alarms.ts'
import { SettlementIds } from './settlement-ids.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import type { SettlementLedger } from './settlement-ledger.ts'
import { SettlementRefusal } from './settlement-refusal.ts'
import { checkTerms, type SettlementTerms } from './settlement-terms.ts'
import type { SuspenseBooks } from './suspense-books.ts'
import { Turns } from './turns.ts'

/** How soon a balance that moved is looked at, and how exactly retries and intervals are kept. */
const TICK_MS = 250
/** Engines store an order before they answer; a network call of theirs must not stand in between for longer. */
const HAND_OVER_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 10_000
/** For handing over what is held when an account leaves an engine; an operator waits for it. */
const LEAVE_DEADLINE_MS = 5_000
/** Gauges of channels are scraped every 10 to 60 seconds. */
const CHANNELS_EVERY_MS = 5_000

/** An account that settles. */
export interface SettledAccount {
  account: LedgerAccount
  terms: SettlementTerms
  ownAddress: string | undefined
  peerAddress: string | undefined
  /** `settlement.options` of the account, for the engine. */
  options: Record<string, unknown>
}

export interface SettlementCoordinatorOptions {
  /** Default 30,000 ms. */
  handOverDeadlineMs?: number
  /** Milliseconds between looks at what is due; 0: only when `tick` is called. Default 250. */
  tickMs?: number
  /** How long `stop` waits for steps under way. Default 10,000 ms. */
  stopDeadlineMs?: number
}

export interface SettlementCoordinatorDeps {
  journal: SettlementJournal
  ledger: SettlementLedger
  suspense: SuspenseBooks
  clock: Clock
  logger: Logger
  metrics: SettlementMetrics
  alarms: SettlementAlarms
  /** A settlement message to the account's peer: `EngineHost.send`. */
  send(accountId: string, message: Buffer): Promise<Buffer>
}

/**
 * Decides when accounts settle, and is the node as its engines see it.
 *
 * Order of a start: store and ledger; `addAccount` for every configured account; `start`; then, for each engine, its
 * own `start` and `addEngine`. Engines get their `EngineHost` from `host` before that. So no engine tells of an account
 * that is not there yet. Later, accounts come and go by `addAccount` and `removeAccount`.
 */
export class SettlementCoordinator {
  readonly credits: IncomingCredits
  readonly #options: Required<SettlementCoordinatorOptions>
  readonly #deps: SettlementCoordinatorDeps
  /** What waits for its time must not wait for as long as the wall clock was wrong. */
  readonly #clock: SteadyClock
  readonly #carrier: OrderCarrier
  readonly #ids: SettlementIds
  readonly #gate: OutsideGate
  readonly #turns = new Turns()
  readonly #engines = new Map<string, SettlementEngine>()
  /** Those of them that have all their accounts: orders go to them. */
  readonly #serving = new Map<string, SettlementEngine>()
  readonly #channelMetrics: ChannelMetrics
  readonly #accounts = new Map<string, SettledAccount>()
  /** One per account that settles or has orders which have not ended. */
  readonly #settlers = new Map<string, AccountSettler>()
  readonly #creditRetries: CreditRetries
  #channelsAtMs = 0
  #running = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: SettlementCoordinatorOptions, deps: SettlementCoordinatorDeps) {
    this.#options = {
      handOverDeadlineMs: HAND_OVER_DEADLINE_MS,
      tickMs: TICK_MS,
      stopDeadlineMs: STOP_DEADLINE_MS,
      ...options,
    }
    this.#deps = deps
    const clock = new SteadyClock({ floorMs: 0 }, deps)
    this.#clock = clock
    this.#ids = new SettlementIds(deps.clock)
    this.#channelMetrics = new ChannelMetrics(deps.metrics)
    this.#gate = new OutsideGate({ ...deps, clock, opened: () => this.#wakeAll() })
    this.#carrier = new OrderCarrier(
      { handOverDeadlineMs: this.#options.handOverDeadlineMs },
      { ...deps, journal: deps.journal.outgoing, engine: (name) => this.#serving.get(name) },
    )
    this.credits = new IncomingCredits({
      ...deps,
      journal: deps.journal.credits,
      account: (id) => this.#accounts.get(id)?.account,
    })
    this.#creditRetries = new CreditRetries({ ...deps, clock, credits: this.credits })
  }

  /** Takes up everything unfinished. The store and the ledger are open, the configured accounts added. */
  start(): void {
    this.#running = true
    for (const accountId of this.#deps.journal.outgoing.openAccounts()) this.#settler(accountId)
    this.#creditRetries.needed()
    const { tickMs } = this.#options
    if (tickMs > 0) this.#timer = setInterval(() => this.tick(), tickMs)
    this.#timer?.unref()
    this.tick()
  }

  /** Lets the steps under way finish, within a bounded time; the next start takes up the rest. Idempotent. */
  async stop(): Promise<void> {
    this.#running = false
    clearInterval(this.#timer)
    this.#timer = undefined
    const { stopDeadlineMs } = this.#options
    const stopped = Promise.all([
      ...[...this.#settlers.values()].map((s) => s.stop()),
      this.#creditRetries.idle(),
      this.#gate.idle(),
    ])
    try {
      await within(stopped, stopDeadlineMs, () => new Error(`not done within ${stopDeadlineMs} ms`))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#deps.logger.warn('settlement stopped with steps under way: the next start takes them up', {
        reason,
      })
    }
  }

  /** Looks at what is due. Called by the coordinator's own timer, and by tests with a clock of their own. */
  tick(): void {
    if (!this.#running) return
    const now = this.#clock.now()
    this.#gate.tick(now)
    for (const settler of this.#settlers.values()) settler.tick(now)
    this.#creditRetries.tick(now)
    if (now - this.#channelsAtMs >= CHANNELS_EVERY_MS) {
      this.#channelsAtMs = now
      for (const engine of this.#engines.values()) this.#countChannels(engine)
    }
  }

  /** Resolves when nothing is being done: for tests and for tools that settle once. */
  async idle(): Promise<void> {
    await this.#gate.idle()
    await Promise.all([
      ...[...this.#settlers.values()].map((settler) => settler.idle()),
      this.#creditRetries.idle(),
    ])
  }

  /** The node, as the engine of that name sees it. */
  host(engineName: string): EngineHost {
    // An engine may ask before it is added.
    this.#gate.guard(engineName)
    return {
      credit: async (credit) => {
        this.#checkRunning()
        try {
          await this.credits.credit(engineName, credit)
        } catch (error) {
          this.#creditRetries.needed()
          throw error
        }
        if (credit.accountId !== undefined) this.balanceChanged(credit.accountId)
      },
      settled: async (orderId) => this.#ended(engineName, orderId, 'carried-out'),
      refused: async (orderId, reason) => this.#ended(engineName, orderId, 'declined', reason),
      send: (accountId, message) => this.#deps.send(accountId, message),
      credited: async (prefix) => {
        this.#checkRunning()
        return this.#deps.journal.credits.credited(engineName, prefix)
      },
      orders: async (accountId) => {
        this.#checkRunning()
        const shut = this.#gate.shutReason(engineName)
        if (shut !== undefined) throw new SettlementRefusal('unavailable', shut)
        return hostOrders(this.#deps.journal, engineName, accountId)
      },
    }
  }

  /** The engine has started: it serves its accounts, and orders go to it. One that it does not take raises an alarm. */
  async addEngine(engine: SettlementEngine): Promise<void> {
    this.#engines.set(engine.name, engine)
    this.#gate.guard(engine.name)
    const accounts = [...this.#accounts.values()].filter(({ terms }) => terms.engine === engine.name)
    const tokens = new Set(accounts.map(({ account }) => account.assetCode))
    this.#deps.metrics.declareMethod(engine.name, [...tokens])
    for (const account of accounts) {
      // Each is a write of the engine's; packets go on in between.
      await this.#turns.take()
      // It may have been changed or removed meanwhile.
      if (this.#accounts.get(account.account.id) !== account) continue
      try {
        await engine.openAccount(engineAccount(account))
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        this.#deps.alarms.raise('account', { engine: engine.name, accountId: account.account.id, reason })
      }
    }
    this.#serving.set(engine.name, engine)
    // What is there now is where its counters begin.
    this.#countChannels(engine)
    await this.#gate.look(engine.name)
    this.#wakeAll()
  }

  /** Why nothing is planned or handed over by an engine that runs: its books do not agree. Undefined when it is. */
  shutReason(engine: string): string | undefined {
    return this.#gate.shutReason(engine)
  }

  /**
   * Goes on although ledger and journal do not agree, as the ledger has it: see {@link acceptDifference}.
   * @throws SettlementRefusal when the engine does not run, or that is not the difference
   */
  async acceptDifference(engine: string, acceptance: DifferenceAcceptance): Promise<AcceptedDifference> {
    this.#checkRunning()
    if (!this.#engines.has(engine)) throw new SettlementRefusal('not-found', `no engine ${engine} is running`)
    const accepted = await acceptDifference(engine, acceptance, this.#deps)
    await this.#gate.look(engine)
    return accepted
  }

  engine(name: string): SettlementEngine | undefined {
    return this.#engines.get(name)
  }

  get engines(): readonly SettlementEngine[] {
    return [...this.#engines.values()]
  }

  /**
   * Adds an account that settles, or changes its terms. Its ledger account is open.
   * @throws SettlementRefusal when the terms contradict each other
   * @throws EngineConfigError when the engine, if it runs, does not take its options
   */
  async addAccount(settled: SettledAccount): Promise<void> {
    checkTerms(settled.terms)
    const { account, terms } = settled
    const before = this.#accounts.get(account.id)
    this.#accounts.set(account.id, settled)
    const engine = this.#engines.get(terms.engine)
    try {
      await engine?.openAccount(engineAccount(settled))
    } catch (error) {
      if (this.#accounts.get(account.id) !== settled) throw error
      if (before === undefined) this.#accounts.delete(account.id)
      else this.#accounts.set(account.id, before)
      throw error
    }
    // Changed again, or removed, while the engine was asked: what came later holds.
    if (this.#accounts.get(account.id) === settled) {
      if (engine !== undefined) this.#deps.metrics.declareMethod(engine.name, [account.assetCode])
      this.#settler(account.id).configure(account, terms)
      if (this.#running) this.#settler(account.id).tick(this.#clock.now())
    }
    for (const left of new Set([before?.terms.engine, terms.engine])) await this.#leave(account.id, left)
  }

  /** No new settlements; orders under way are carried to their end. */
  async removeAccount(accountId: string): Promise<void> {
    const settled = this.#accounts.get(accountId)
    if (settled === undefined) return
    this.#accounts.delete(accountId)
    this.#settler(accountId).configure(settled.account, undefined)
    await this.#leave(accountId, settled.terms.engine)
    const gone = this.#settlers.get(accountId)?.idle()
    // One that cannot be looked up now stays: it costs memory only.
    gone?.then(() => this.#forget(accountId)).catch(() => undefined)
  }

  settledAccount(accountId: string): SettledAccount | undefined {
    return this.#accounts.get(accountId)
  }

  get settledAccounts(): readonly SettledAccount[] {
    return [...this.#accounts.values()]
  }

  /** The account's balance has moved. Costs a look-up; the rest happens at the next tick. */
  balanceChanged(accountId: string): void {
    this.#settlers.get(accountId)?.balanceChanged()
  }

  /**
   * Settles `amount`, or what is above `settleTo`, without waiting for the threshold. Resolves when it is stored.
   * @throws SettlementRefusal when that cannot be
   */
  async settleNow(accountId: string, amount?: bigint): Promise<OutgoingSettlement[]> {
    this.#checkRunning()
    if (amount !== undefined && amount <= 0n) throw new SettlementRefusal('invalid', 'amount must be above 0')
    return await this.#existing(accountId).settleNow(amount)
  }

  /**
   * Ends a settlement by the word of an operator, when its engine cannot: see {@link abandonSettlement}.
   * @throws SettlementRefusal when the engine knows better, or nothing is to be decided
   */
  async abandon(id: string, verdict: OrderVerdict): Promise<void> {
    this.#checkRunning()
    await abandonSettlement(id, verdict, { ...this.#deps, engine: (name) => this.#engines.get(name) })
  }

  /** No new settlements, and none is handed over, until `resume`, over restarts too. What an engine has goes on. */
  pause(accountId: string, reason: string): void {
    this.#existing(accountId)
    this.#deps.journal.pause(accountId, reason)
    this.#deps.logger.warn('settlement paused', { accountId, reason })
  }

  resume(accountId: string): void {
    const settler = this.#existing(accountId)
    this.#deps.journal.resume(accountId)
    this.#deps.logger.info('settlement resumed', { accountId })
    void settler.wake()
  }

  /**
   * Gives a credit in SUSPENSE to an account: {@link IncomingCredits.attribute}. What the ledger does not take now is
   * taken up again by itself.
   */
  async attribute(engine: string, creditId: string, accountId: string): Promise<ReceivedCredit> {
    this.#checkRunning()
    try {
      const credit = await this.credits.attribute(engine, creditId, accountId)
      this.balanceChanged(accountId)
      return credit
    } catch (error) {
      this.#creditRetries.needed()
      throw error
    }
  }

  /** When the account's next retry is due, milliseconds since the epoch; undefined when nothing has failed. */
  retryAtMs(accountId: string): number | undefined {
    return this.#settlers.get(accountId)?.retryAtMs
  }

  /** Closes the account with an engine by which it does not settle any more; what is held goes there before. */
  async #leave(accountId: string, name: string | undefined): Promise<void> {
    const isKept = () => this.#accounts.get(accountId)?.terms.engine === name
    const engine = name === undefined || isKept() ? undefined : this.#engines.get(name)
    if (engine === undefined) return
    const handedOver = this.#running ? this.#settlers.get(accountId)?.wake() : undefined
    await within(handedOver ?? Promise.resolve(), LEAVE_DEADLINE_MS, () => new Error('late')).catch(
      () => undefined,
    )
    if (!isKept()) await engine.closeAccount(accountId)
  }

  /** Whoever comes and goes must not fill the memory. */
  #forget(accountId: string): void {
    if (!this.#running || this.#accounts.has(accountId)) return
    if (this.#deps.journal.outgoing.open(accountId).length === 0) this.#settlers.delete(accountId)
  }

  #wakeAll(): void {
    for (const settler of this.#settlers.values()) settler.engineReady()
    this.tick()
  }

  #existing(accountId: string): AccountSettler {
    const settler = this.#settlers.get(accountId)
    if (settler !== undefined) return settler
    throw new SettlementRefusal('not-found', `account "${accountId}" has no settlement configured`)
  }

  #settler(accountId: string): AccountSettler {
    let settler = this.#settlers.get(accountId)
    if (settler === undefined) {
      settler = new AccountSettler(accountId, {
        ...this.#deps,
        clock: this.#clock,
        carrier: this.#carrier,
        ids: this.#ids,
        engine: (name) => this.#serving.get(name),
        shutReason: (engine) => this.#gate.shutReason(engine),
        turn: () => this.#turns.take(),
      })
      this.#settlers.set(accountId, settler)
    }
    return settler
  }

  /** An engine told how an order ended. Durable when this returns; the ledger follows. */
  #ended(engine: string, orderId: string, state: OrderEnd['state'], reason?: string): void {
    this.#checkRunning()
    const order = orderEnded({ engine, orderId, state, reason }, this.#deps)
    if (order !== undefined) void this.#settler(order.accountId).wake()
  }

  /** An engine that stops, or fails here, costs its gauges only. */
  #countChannels(engine: SettlementEngine): void {
    try {
      this.#channelMetrics.update(engine.name, engine.channels())
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#deps.logger.warn('channels of an engine could not be read', { engine: engine.name, reason })
    }
  }

  #checkRunning(): void {
    if (!this.#running) throw new SettlementRefusal('unavailable', 'settlement is not running: tell it again')
  }
}

function engineAccount({ account, ownAddress, peerAddress, options }: SettledAccount): EngineAccount {
  const { id, assetCode, assetScale } = account
  return { id, assetCode, assetScale, ownAddress, peerAddress, options }
}
