import { setImmediate as nextTurn } from 'node:timers/promises'
import { ConfigError } from '../config/config-error.ts'
import type { Config, PeerConfig } from '../config/schema.ts'
import type { SecretStore } from '../config/secret-store.ts'
import type { Account } from '../forwarding/account.ts'
import type { NodeAddress } from '../forwarding/node-address.ts'
import type { PeerAnswer } from '../forwarding/peer-protocol.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type { HealthProber } from '../observability/health-prober.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { AccountSettlement } from '../peers/account-settlement.ts'
import { EngineConfigError, MessageRefusedError, type SettlementEngine } from '../settlement/engine.ts'
import { engineTrouble } from '../settlement/engine-trouble.ts'
import { LedgerSuspense } from '../settlement/ledger-suspense.ts'
import { PeerMessenger } from '../settlement/peer-messenger.ts'
import { Reconciliation } from '../settlement/reconciliation.ts'
import { writeRefusalText } from '../settlement/refusal-text.ts'
import { SettlementAlarms } from '../settlement/settlement-alarms.ts'
import { type SettledAccount, SettlementCoordinator } from '../settlement/settlement-coordinator.ts'
import { SettlementJournal } from '../settlement/settlement-journal.ts'
import { SettlementRefusal } from '../settlement/settlement-refusal.ts'
import { Settlements } from '../settlement/settlement-service.ts'
import type { SettlementTerms } from '../settlement/settlement-terms.ts'
import type { Store } from '../store/store.ts'
import { checkEngineNames } from './check-engine-names.ts'
import { createEngine } from './create-engine.ts'
import { EngineRunner } from './engine-runner.ts'

/** Other processes move the balances of a shared ledger: they are looked at this often. */
const SHARED_LOOK_MS = 1_000

export interface NodeSettlementOptions {
  readonly config: Config
  readonly secrets: SecretStore
  /** Where relative paths of the configuration start. */
  readonly baseDirectory: string
}

export interface NodeSettlementDeps {
  readonly store: Store
  readonly ledger: Ledger
  readonly address: NodeAddress
  /** Sends a packet of this node over the account's link; resolves with the reply. */
  readonly request: (accountId: string, packet: Buffer) => Promise<Buffer>
  readonly metrics: Metrics
  readonly prober: Pick<HealthProber, 'register'>
  readonly clock: Clock
  readonly logger: Logger
  readonly random: () => number
}

/** Settlement as one part of the node: its books, its engines, and the accounts that settle. */
export class NodeSettlement implements AccountSettlement {
  readonly service: Settlements
  readonly #options: NodeSettlementOptions
  readonly #deps: NodeSettlementDeps
  readonly #coordinator: SettlementCoordinator
  readonly #reconciliation: Reconciliation
  readonly #runners = new Map<string, EngineRunner>()
  readonly #accounts = new Map<string, Account>()
  readonly #alarms: SettlementAlarms
  readonly #journal: SettlementJournal
  #isStarted = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: NodeSettlementOptions, deps: NodeSettlementDeps) {
    this.#options = options
    this.#deps = deps
    const { address, clock, ledger, logger, metrics, store } = deps
    const { ledger: ledgerConfig, settlement } = options.config
    const journal = new SettlementJournal({ store, clock })
    this.#journal = journal
    const alarms = new SettlementAlarms(logger, () => metrics.recordError('settlement_error', 'critical'))
    this.#alarms = alarms
    const messenger = new PeerMessenger(deps)
    this.#coordinator = new SettlementCoordinator(
      {},
      {
        journal,
        ledger,
        suspense: new LedgerSuspense(ledger),
        clock,
        logger,
        metrics: metrics.settlement,
        alarms,
        send: (accountId, message) => messenger.send(accountId, message),
      },
    )
    const coordinator = this.#coordinator
    this.#reconciliation = new Reconciliation(
      { everyMs: settlement.reconcileIntervalMs, pendingIsHeld: ledgerConfig.mode === 'exclusive' },
      {
        journal,
        ledger,
        accounts: () => coordinator.settledAccounts,
        engine: (name) => coordinator.engine(name),
        clock,
        logger,
        alarms,
        difference: (...told) => metrics.settlementState.setDifference(...told),
        unchecked: (engine, count) => metrics.settlementState.setUnchecked(engine, count),
      },
    )
    metrics.settlementState.watch({
      engines: Object.keys(settlement.engines),
      isUp: (name) => {
        const engine = coordinator.engine(name)
        return engine !== undefined && engineTrouble(engine) === undefined
      },
      waiting: (engine) => journal.waiting(engine),
      isShut: (engine) => coordinator.shutReason(engine) !== undefined,
      alarms: alarms.counts,
    })
    const engines = () =>
      Object.entries(settlement.engines).map(([name, { type }]) => {
        const { lastError, sinceMs } = this.#runners.get(name)?.status ?? {}
        return { name, type, sinceMs, lastError }
      })
    this.service = new Settlements({ coordinator, journal, reconciliation: this.#reconciliation, engines })
    address.onChange(() => void this.#addressChanged())
  }

  /** After the store and the ledger, and after every configured peer was added. */
  async start(): Promise<void> {
    const { clock, logger, metrics, prober, random } = this.#deps
    const { baseDirectory, config, secrets } = this.#options
    const { engines: sections, retiredEngines: retired } = config.settlement
    const configured = Object.keys(sections)
    const gone = checkEngineNames({ configured, retired, inBooks: this.#journal.engines() })
    for (const engine of gone) {
      const text =
        'an engine that has settled is not configured: nobody claims or defends what its channels hold'
      this.#deps.logger.warn(text, { engine, end: 'settlement.retiredEngines' })
    }
    const engines: SettlementEngine[] = []
    for (const [name, section] of Object.entries(sections)) {
      const engine = await this.#named(name, async () =>
        createEngine(name, secrets.resolveAll(section), {
          host: this.#coordinator.host(name),
          clock,
          logger: logger.child({ engine: name }),
          random,
          dataDirectory: config.node.dataDirectory,
          baseDirectory,
          alarm: (code) => {
            metrics.recordError('settlement_error', 'critical')
            metrics.settlementState.engineAlarm(name, code)
          },
        }),
      )
      engines.push(engine)
    }
    this.#isStarted = true
    this.#coordinator.start()
    await Promise.all(
      engines.map(async (engine) => {
        const { name } = engine
        const runner = new EngineRunner({ engine, coordinator: this.#coordinator, clock, logger })
        this.#runners.set(name, runner)
        await this.#named(name, () => runner.start())
        prober.register({ name, critical: false, probe: (signal) => engine.probe(signal) })
      }),
    )
    if (engines.length > 0) this.#reconciliation.start()
    if (config.ledger.mode === 'shared') this.#lookNowAndThen()
  }

  /** Before the ledger and the store. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#reconciliation.stop()
    await this.#coordinator.stop()
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop()))
  }

  async put(account: Account, settings: PeerConfig['settlement']): Promise<void> {
    if (settings === undefined) return await this.remove(account.id)
    const { engine } = settings
    if (!Object.hasOwn(this.#options.config.settlement.engines, engine)) {
      const message = `there is no settlement engine "${engine}"`
      if (this.#isStarted) throw new SettlementRefusal('invalid', message)
      // Settings that an operator once made must not keep the node from starting without the engine.
      this.#alarms.raise('account', { engine, accountId: account.id, reason: message })
      return
    }
    await this.#coordinator.addAccount({
      ...this.#addresses(account),
      account: account.ledger,
      terms: termsOf(settings),
      options: settings.options,
    })
    this.#accounts.set(account.id, account)
    account.earned = () => this.#coordinator.balanceChanged(account.id)
  }

  async remove(accountId: string): Promise<void> {
    const account = this.#accounts.get(accountId)
    if (account === undefined) return
    this.#accounts.delete(accountId)
    account.earned = undefined
    await this.#coordinator.removeAccount(accountId)
  }

  /** A settlement message of the account's peer. */
  async answer(account: Account, message: Buffer): Promise<PeerAnswer> {
    const settled = this.#coordinator.settledAccount(account.id)
    if (settled === undefined) {
      return { code: ErrorCode.badRequest, message: 'this account does not settle here' }
    }
    const engine = this.#coordinator.engine(settled.terms.engine)
    try {
      if (engine === undefined) throw new Error('the engine is not running')
      return { data: await engine.receive(account.id, message) }
    } catch (error) {
      if (error instanceof MessageRefusedError) {
        this.#deps.metrics.settlementState.messageRefused(settled.terms.engine, error.code)
        return { code: ErrorCode.badRequest, message: writeRefusalText(error) }
      }
      const reason = error instanceof Error ? error.message : String(error)
      const suppressed = account.faultLog.take(this.#deps.clock.now())
      if (suppressed !== undefined) {
        const fields = { accountId: account.id, reason, suppressed }
        this.#deps.logger.warn('a settlement message was not answered', fields)
      }
      return { code: ErrorCode.internalError, message: 'the settlement engine cannot answer now' }
    }
  }

  /** Our own address has changed, and with it those of our children: proofs bind both. */
  async #addressChanged(): Promise<void> {
    for (const account of this.#accounts.values()) {
      // Each is a write of its engine's; packets go on in between.
      await nextTurn()
      const settled = this.#coordinator.settledAccount(account.id)
      if (settled === undefined) continue
      try {
        await this.#coordinator.addAccount({ ...settled, ...this.#addresses(account) })
      } catch (error) {
        this.#deps.logger.error('the engine does not take the new address', { accountId: account.id, error })
      }
    }
  }

  /** A child has its address from us; what a parent or a peer is called is its own business. */
  #addresses(account: Account): Pick<SettledAccount, 'ownAddress' | 'peerAddress'> {
    const { address } = this.#deps
    const segment = account.addressSegment
    const peerAddress = segment === undefined ? undefined : address.childAddress(segment)
    return { ownAddress: address.text, peerAddress }
  }

  #lookNowAndThen(): void {
    this.#timer = setInterval(() => {
      for (const accountId of this.#accounts.keys()) this.#coordinator.balanceChanged(accountId)
    }, SHARED_LOOK_MS)
    this.#timer.unref()
  }

  /** Errors of several engines tell which one. */
  async #named<T>(name: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      const { message, path = '' } = error as Error & { path?: string }
      const place = `settlement.engines.${name}${path === '' ? '' : `.${path}`}`
      if (error instanceof EngineConfigError) throw new ConfigError([{ path: place, message }], undefined)
      throw new Error(`${place}: ${message}`, { cause: error })
    }
  }
}

function termsOf(settings: NonNullable<PeerConfig['settlement']>): SettlementTerms {
  const { engine, intervalMs, maxAmount, minAmount, paused, settleTo, threshold } = settings
  return {
    engine,
    threshold: BigInt(threshold),
    settleTo: BigInt(settleTo),
    intervalMs,
    minAmount: BigInt(minAmount),
    maxAmount: maxAmount === undefined ? undefined : BigInt(maxAmount),
    paused,
  }
}
