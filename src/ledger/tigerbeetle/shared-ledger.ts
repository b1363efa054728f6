import assert from 'node:assert'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type Amount, toAmount } from '../../ilp/amount.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import {
  checkAccountSpec,
  checkHistoryQuery,
  checkLimit,
  checkSettlement,
  checkSettlementId,
} from '../check-ledger-input.ts'
import type {
  AccountBalance,
  HistoryEntry,
  HistoryQuery,
  Ledger,
  LedgerAccount,
  SelfCheck,
  SettlementEntry,
} from '../ledger.ts'
import { type LedgerAccountSpec, type PacketListener, ReserveOutcome } from '../ledger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { within } from '../within.ts'
import { AccountBook } from './account-book.ts'
import { readBalance, readBalances, selfCheck } from './balances.ts'
import { claimEpoch, epochScope, lastEpoch } from './epoch.ts'
import { readHistory } from './history.ts'
import { SettlementBook } from './settlement-book.ts'
import type { SharedAccount } from './shared-account.ts'
import { SharedAccounts } from './shared-accounts.ts'
import { SharedPacketFlow } from './shared-packet-flow.ts'
import { SharedSettlements } from './shared-settlements.ts'
import { TigerBeetleConnection, type TigerBeetleConnectionOptions } from './tigerbeetle-connection.ts'

/** The longest hold that the configuration allows is 300 s; the rest is for clocks and queues. */
const PENDING_TIMEOUT_SECONDS = 360
const SLOTS_MAX = 65_536
const STOP_DEADLINE_MS = 10_000
const STOP_LOOK_MS = 5

export interface SharedLedgerOptions extends TigerBeetleConnectionOptions {
  /** Packets in flight: slots run from 0 to `slots - 1`. At most 65,536. */
  slots: number
  /** Name of this process, for logs. */
  nodeId: string
  /** Lifetime of a pending transfer, seconds; must outlive every packet. Default 360. */
  pendingTimeoutSeconds?: number
  /** Keeps the books of several nodes apart in one cluster; equal for the processes that share them. Default ''. */
  namespace?: string
}

export interface SharedLedgerDeps {
  clock: Clock
  logger: Logger
  /** The cluster contradicts what we know: stop taking value, raise the alarm. */
  onFault?: (error: Error) => void
}

const NOBODY: PacketListener = { reserved: () => undefined, committed: () => undefined }

/**
 * The ledger of several processes that write the same accounts in one TigerBeetle cluster. Every packet is a pending
 * transfer; the cluster holds the credit limits. The limit on what we may owe is checked in this process, against
 * balances that are at most one probe old: several processes together can pass it by what they send in that time.
 */
export class SharedLedger implements Ledger {
  listener: PacketListener = NOBODY
  readonly #namespace: string
  readonly #timeoutMs: number
  readonly #deps: SharedLedgerDeps
  readonly #logger: Logger
  readonly #connection: TigerBeetleConnection
  readonly #book: AccountBook
  readonly #accounts: SharedAccounts
  readonly #settlements: SharedSettlements
  readonly #flow: SharedPacketFlow
  #state: 'new' | 'running' | 'stopped' = 'new'
  #isReachable = false
  #latencyMs: number | undefined
  #fault: Error | undefined
  #stopping: Promise<void> | undefined
  #probing: Promise<void> | undefined

  constructor(options: SharedLedgerOptions, deps: SharedLedgerDeps) {
    const { slots, timeoutMs } = options
    assert(
      Number.isInteger(slots) && slots >= 1 && slots <= SLOTS_MAX,
      `slots must be from 1 to ${SLOTS_MAX}`,
    )
    const namespace = options.namespace ?? ''
    const pendingTimeoutSeconds = options.pendingTimeoutSeconds ?? PENDING_TIMEOUT_SECONDS
    const logger = deps.logger.child({ ledgerNode: options.nodeId })
    this.#namespace = namespace
    this.#timeoutMs = timeoutMs
    this.#deps = deps
    this.#logger = logger
    const connection = new TigerBeetleConnection(options, { logger })
    this.#connection = connection
    this.#book = new AccountBook(connection, namespace)
    this.#accounts = new SharedAccounts({ connection, book: this.#book, namespace, logger })
    this.#settlements = new SharedSettlements({
      book: new SettlementBook(connection, this.#book, namespace),
      accounts: this.#accounts,
      refresh: (account) => this.#refresh([account]),
    })
    this.#flow = new SharedPacketFlow(
      { slots, timeoutMs, pendingTimeoutSeconds },
      {
        connection,
        logger,
        account: (index) => this.#accounts.at(index),
        listener: () => this.listener,
        answered: (tookMs) => this.#found(tookMs),
        late: (reason) => this.#lost(reason),
        fault: (error) => this.#fail(error),
      },
    )
  }

  get available(): boolean {
    return this.#isReachable && this.#state === 'running' && this.#fault === undefined
  }

  get latencyMs(): number | undefined {
    return this.available ? this.#latencyMs : undefined
  }

  async start(): Promise<void> {
    assert(this.#state === 'new', 'a ledger is started once')
    const startedAt = performance.now()
    await this.#connection.start()
    try {
      const scope = epochScope('shared', this.#namespace)
      const before = await lastEpoch(this.#connection, scope)
      this.#flow.writer.epoch = await claimEpoch(this.#connection, scope, before, this.#deps.clock)
    } catch (error) {
      this.#connection.stop()
      throw error
    }
    this.#state = 'running'
    this.#found(performance.now() - startedAt)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const wasRunning = this.#state === 'running'
    this.#state = 'stopped'
    if (wasRunning) {
      this.#flow.releaseAll()
      const giveUpAt = performance.now() + STOP_DEADLINE_MS
      while (!this.#flow.isIdle && performance.now() < giveUpAt) await delay(STOP_LOOK_MS)
      if (!this.#flow.isIdle) this.#logger.error('ledger stopped with packets not booked')
    }
    this.abort()
  }

  /** Ends at once, as a crash would: what was reserved stays so until its pending transfers expire. */
  abort(): void {
    this.#state = 'stopped'
    this.#flow.end()
    this.#connection.stop()
  }

  /** Also reads the balances that others may have moved, as many accounts as one request takes, all in turn. */
  async probe(): Promise<void> {
    if (this.#state !== 'running') return
    const startedAt = performance.now()
    try {
      // One at a time: while the cluster hangs, the first still waits for its turn.
      this.#probing ??= this.#queueRefresh(this.#accounts.nextToRefresh()).finally(() => {
        this.#probing = undefined
      })
      await within(this.#timeoutMs, 'probe', this.#probing)
      if (!this.#flow.writer.isLate) this.#found(performance.now() - startedAt)
    } catch (error) {
      if (error instanceof LedgerUnavailableError) this.#lost(error.message)
      else this.#fail(error instanceof Error ? error : new LedgerFaultError(String(error)))
    }
  }

  async openAccount(spec: LedgerAccountSpec): Promise<LedgerAccount> {
    checkAccountSpec(spec)
    const account = await this.#accounts.open(spec)
    if (account.assetCode !== spec.assetCode || account.assetScale !== spec.assetScale) {
      const has = `${account.assetCode} with scale ${account.assetScale}`
      throw new LedgerFaultError(`account ${spec.id} holds ${has}: open a new account for another asset`)
    }
    this.setPayableLimit(account, spec.payableLimit)
    if (BigInt(account.creditLimit) !== spec.creditLimit) await this.setCreditLimit(account, spec.creditLimit)
    return account
  }

  async setCreditLimit(account: LedgerAccount, limit: bigint): Promise<void> {
    checkLimit('credit limit', limit)
    const own = this.#accounts.own(account)
    await this.#accounts.setCreditLimit(own, limit)
    await this.#refresh([own])
  }

  setPayableLimit(account: LedgerAccount, limit: bigint | undefined): void {
    if (limit !== undefined) checkLimit('payable limit', limit)
    this.#accounts.own(account).payableLimit = limit === undefined ? undefined : toAmount(limit)
  }

  reserve(
    slot: number,
    payer: LedgerAccount,
    payee: LedgerAccount,
    inAmount: Amount,
    outAmount: Amount,
  ): ReserveOutcome {
    if (inAmount === 0 && outAmount === 0) {
      this.#flow.reserveZero(slot)
      return ReserveOutcome.reserved
    }
    if (!this.available) return ReserveOutcome.unavailable
    const from = payer as SharedAccount
    const to = payee as SharedAccount
    assert(inAmount >= 0 && outAmount >= 0, 'amounts are not negative')
    assert(from.book.asset !== to.book.asset || outAmount <= inAmount, 'one asset: no more out than in')
    if (!from.canSpend(inAmount)) return ReserveOutcome.creditExceeded
    if (!to.canOwe(outAmount)) {
      return from.hasRoom(inAmount) ? ReserveOutcome.payableExceeded : ReserveOutcome.creditExceeded
    }
    const isTaken = this.#flow.reserve(slot, from, to, inAmount, outAmount)
    return isTaken ? ReserveOutcome.pending : ReserveOutcome.unavailable
  }

  commit(slot: number): void {
    this.#flow.commit(slot)
  }

  release(slot: number): void {
    this.#flow.release(slot)
  }

  abandon(slot: number): void {
    this.#flow.abandon(slot)
  }

  async settleIn(settlement: SettlementEntry): Promise<boolean> {
    checkSettlement(settlement)
    return await this.#settlements.settleIn(settlement)
  }

  async holdSettlement(settlement: SettlementEntry): Promise<void> {
    checkSettlement(settlement)
    await this.#settlements.hold(settlement)
  }

  async postSettlement(id: string): Promise<void> {
    checkSettlementId(id)
    await this.#settlements.resolve(id, 'post')
  }

  async voidSettlement(id: string): Promise<void> {
    checkSettlementId(id)
    await this.#settlements.resolve(id, 'void')
  }

  async balances(): Promise<AccountBalance[]> {
    return await readBalances(this.#connection, this.#book.directory)
  }

  async balance(account: LedgerAccount): Promise<AccountBalance> {
    return await readBalance(this.#connection, this.#accounts.own(account).book)
  }

  async history(query: HistoryQuery): Promise<HistoryEntry[]> {
    checkHistoryQuery(query)
    return await readHistory(this.#connection, this.#book.directory, query)
  }

  async selfCheck(): Promise<SelfCheck> {
    return await selfCheck(this.#connection, this.#book.directory)
  }

  async #refresh(accounts: SharedAccount[]): Promise<void> {
    await within(this.#timeoutMs, 'read balances', this.#queueRefresh(accounts))
  }

  /** Reads the accounts anew, between two requests of packets. */
  #queueRefresh(accounts: SharedAccount[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#flow.writer.whenIdle(async () => {
      try {
        const changed = await this.#accounts.refresh(accounts)
        resolve()
        this.#followLimits(changed, accounts)
      } catch (error) {
        reject(error)
        // Reservations have waited behind this call.
        if (error instanceof LedgerUnavailableError) this.#flow.late(error.message)
      }
    })
    return promise
  }

  #followLimits(changed: SharedAccount[], refreshed: SharedAccount[]): void {
    this.#accounts.followLimits(changed, refreshed).catch((error: unknown) => {
      this.#logger.warn('credit limits could not be followed', { reason: String(error) })
    })
  }

  #found(latencyMs: number): void {
    this.#latencyMs = latencyMs
    if (this.#isReachable) return
    this.#isReachable = true
    this.#logger.info('ledger is available')
  }

  #lost(reason: string): void {
    if (!this.#isReachable) return
    this.#isReachable = false
    this.#logger.warn('ledger is not available: value packets are refused', { reason })
  }

  #fail(error: Error): void {
    if (this.#fault !== undefined) return
    this.#fault = error
    this.#logger.error('ledger has failed: no value will be taken by this process', { reason: error.message })
    this.#deps.onFault?.(error)
  }
}
