import assert from 'node:assert'
import { performance } from 'node:perf_hooks'
import { type Amount, add, subtract, toAmount } from '../ilp/amount.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { AccountRegistry } from './account-registry.ts'
import type { BatchBuffer } from './batch-buffer.ts'
import { BatchWriter } from './batch-writer.ts'
import {
  checkAccountSpec,
  checkHistoryQuery,
  checkLimit,
  checkSettlement,
  checkSettlementId,
} from './check-ledger-input.ts'
import { ExclusiveAccount } from './exclusive-account.ts'
import type {
  AccountBalance,
  HistoryEntry,
  HistoryQuery,
  Ledger,
  LedgerAccount,
  SelfCheck,
  SettlementEntry,
} from './ledger.ts'
import { type LedgerAccountSpec, type PacketListener, ReserveOutcome } from './ledger.ts'
import {
  BATCH_RECORDS_MAX,
  LedgerFaultError,
  type LedgerStore,
  LedgerUnavailableError,
  RecordKind,
} from './ledger-store.ts'
import { PacketSlab, PacketState } from './packet-slab.ts'
import { SettlementDesk } from './settlement-desk.ts'
import { within } from './within.ts'

/** A healthy disk needs milliseconds; after this long value packets are refused until the batch lands. */
const BATCH_SLOW_MS = 2_000
const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 5_000
const PROBE_DEADLINE_MS = 2_000
const STOP_DEADLINE_MS = 10_000
const SLOTS_MAX = 65_536

export interface ExclusiveLedgerOptions {
  /** Packets in flight: slots run from 0 to `slots - 1`. At most 65,536. */
  slots: number
  /** Most records in one batch: 2 to 8,192, which is the default. */
  maxBatchRecords?: number
  /** A batch not booked for this long makes the ledger unavailable until it is. Default 2,000 ms. */
  batchSlowMs?: number
  /** First pause before a failed batch is repeated; doubles each time. Default 50 ms. */
  retryMinMs?: number
  /** Longest pause before a failed batch is repeated. Default 5,000 ms. */
  retryMaxMs?: number
  /** Deadline of `probe`. Default 2,000 ms. */
  probeDeadlineMs?: number
  /** How long `stop` waits for what was committed. Default 10,000 ms. */
  stopDeadlineMs?: number
}

export interface ExclusiveLedgerDeps {
  store: LedgerStore
  clock: Clock
  logger: Logger
  /** Nothing more will be booked: stop taking value, raise the alarm. Called once. */
  onFault(error: Error): void
}

const NOBODY: PacketListener = { reserved: () => undefined, committed: () => undefined }

/**
 * The ledger of a process that owns its accounts. Credit is set aside in memory; fulfilled packets are booked in
 * batches.
 *
 * Balances move when the batch is durable, not when it is committed: until then the payer's amount stays reserved
 * and the payee's outgoing. The payer gains nothing by waiting (a reservation weighs as much as a booking), and the
 * payee cannot spend what a failing store may never have booked; so neither limit can be passed, in memory or after
 * a restart.
 */
export class ExclusiveLedger implements Ledger {
  listener: PacketListener = NOBODY
  readonly #options: Required<Omit<ExclusiveLedgerOptions, 'slots'>>
  readonly #deps: ExclusiveLedgerDeps
  readonly #slab: PacketSlab
  readonly #accounts: AccountRegistry
  readonly #writer: BatchWriter
  readonly #desk: SettlementDesk
  /** Committed packets without value: told at the end of the turn, whatever the store does. */
  #zeroSlots: Uint32Array
  #zeroSpare: Uint32Array
  #zeroCount = 0
  #state: 'new' | 'running' | 'stopped' = 'new'
  #stopping: Promise<void> | undefined
  #reachable = false
  #latencyMs: number | undefined
  #fault: Error | undefined
  readonly #announceZero = (): void => this.#tellZero()

  constructor(options: ExclusiveLedgerOptions, deps: ExclusiveLedgerDeps) {
    const { slots } = options
    assert(
      Number.isInteger(slots) && slots >= 1 && slots <= SLOTS_MAX,
      `slots must be from 1 to ${SLOTS_MAX}`,
    )
    this.#options = {
      maxBatchRecords: options.maxBatchRecords ?? BATCH_RECORDS_MAX,
      batchSlowMs: options.batchSlowMs ?? BATCH_SLOW_MS,
      retryMinMs: options.retryMinMs ?? RETRY_MIN_MS,
      retryMaxMs: options.retryMaxMs ?? RETRY_MAX_MS,
      probeDeadlineMs: options.probeDeadlineMs ?? PROBE_DEADLINE_MS,
      stopDeadlineMs: options.stopDeadlineMs ?? STOP_DEADLINE_MS,
    }
    this.#deps = deps
    this.#slab = new PacketSlab(slots)
    this.#zeroSlots = new Uint32Array(slots)
    this.#zeroSpare = new Uint32Array(slots)
    this.#accounts = new AccountRegistry(deps.store)
    const unavailable = (reason: string): void => this.#lost(reason)
    const fault = (error: Error): void => this.#failForGood(error)
    this.#writer = new BatchWriter(this.#options, {
      ...deps,
      slab: this.#slab,
      landed: (batch, tookMs) => this.#landed(batch, tookMs),
      announce: (batch) => this.#announce(batch),
      unavailable,
      fault,
    })
    this.#desk = new SettlementDesk({
      store: deps.store,
      accounts: this.#accounts,
      writer: this.#writer,
      unavailable,
      refused: () => void this.probe(),
      fault,
    })
  }

  get available(): boolean {
    return this.#reachable && this.#state === 'running'
  }

  get latencyMs(): number | undefined {
    return this.available ? this.#latencyMs : undefined
  }

  async start(): Promise<void> {
    assert(this.#state === 'new', 'a ledger is started once')
    const startedAt = performance.now()
    await this.#deps.store.start()
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
    const { stopDeadlineMs } = this.#options
    if (wasRunning && this.#fault === undefined) {
      this.#writer.retryNow()
      await within(stopDeadlineMs, 'flush before stop', this.#writer.drain()).catch((error: Error) => {
        const packets = this.#writer.waiting
        this.#deps.logger.error('ledger stopped with packets not booked', { packets, reason: error.message })
      })
    }
    this.#writer.end()
    await within(stopDeadlineMs, 'stop', this.#deps.store.stop()).catch((error: Error) => {
      this.#deps.logger.error('ledger store did not stop', { reason: error.message })
    })
  }

  async probe(): Promise<void> {
    if (this.#state !== 'running' || this.#fault !== undefined) return
    const startedAt = performance.now()
    try {
      await within(this.#options.probeDeadlineMs, 'probe', this.#deps.store.probe())
    } catch (error) {
      if (error instanceof LedgerUnavailableError) this.#lost(error.message)
      else this.#failForGood(error instanceof Error ? error : new LedgerFaultError(String(error)))
      return
    }
    // A batch that failed decides by itself, when it lands, whether the store can write again.
    if (this.#writer.busy && !this.#reachable) this.#writer.retryNow()
    else this.#found(performance.now() - startedAt)
  }

  async openAccount(spec: LedgerAccountSpec): Promise<LedgerAccount> {
    checkAccountSpec(spec)
    const open = this.#accounts.find(spec.id)
    const account = open ?? (await this.#accounts.open(spec))
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
    const own = this.#own(account)
    const version = ++own.limitVersion
    // Lowering holds from now on, whatever becomes of the call; raising only once it is booked.
    if (limit < own.creditLimit) own.creditLimit = toAmount(limit)
    await this.#deps.store.setCreditLimit(own.index, limit)
    if (version === own.limitVersion) own.creditLimit = toAmount(limit)
  }

  setPayableLimit(account: LedgerAccount, limit: bigint | undefined): void {
    if (limit !== undefined) checkLimit('payable limit', limit)
    this.#own(account).payableLimit = limit === undefined ? undefined : toAmount(limit)
  }

  reserve(
    slot: number,
    payer: LedgerAccount,
    payee: LedgerAccount,
    inAmount: Amount,
    outAmount: Amount,
  ): ReserveOutcome {
    const slab = this.#slab
    assert(slab.state[slot] === PacketState.free, 'slot is not free')
    if (inAmount === 0 && outAmount === 0) {
      slab.state[slot] = PacketState.reservedZero
      return ReserveOutcome.reserved
    }
    if (!this.#reachable || this.#state !== 'running') return ReserveOutcome.unavailable
    const from = payer as ExclusiveAccount
    const to = payee as ExclusiveAccount
    assert(inAmount >= 0 && outAmount >= 0, 'amounts are not negative')
    assert(from.assetIndex !== to.assetIndex || outAmount <= inAmount, 'one asset: no more out than in')
    if (!from.canSpend(inAmount)) return ReserveOutcome.creditExceeded
    if (!to.canOwe(outAmount)) return ReserveOutcome.payableExceeded
    from.reserved = add(from.reserved, inAmount)
    to.outgoing = add(to.outgoing, outAmount)
    slab.state[slot] = PacketState.reserved
    slab.payer[slot] = from.index
    slab.payee[slot] = to.index
    slab.inAmount.set(slot, inAmount)
    slab.outAmount.set(slot, outAmount)
    return ReserveOutcome.reserved
  }

  commit(slot: number): void {
    const { state } = this.#slab
    if (state[slot] === PacketState.reserved) {
      state[slot] = PacketState.committed
      return this.#writer.push(slot)
    }
    assert(state[slot] === PacketState.reservedZero, 'commit of a packet that is not reserved')
    state[slot] = PacketState.committedZero
    if (this.#zeroCount === 0) setImmediate(this.#announceZero)
    this.#zeroSlots[this.#zeroCount++] = slot
  }

  release(slot: number): void {
    const slab = this.#slab
    if (slab.state[slot] === PacketState.reserved) {
      const payer = this.#at(slab.payer[slot]!)
      const payee = this.#at(slab.payee[slot]!)
      payer.reserved = subtract(payer.reserved, slab.inAmount.get(slot))
      payee.outgoing = subtract(payee.outgoing, slab.outAmount.get(slot))
    } else {
      assert(slab.state[slot] === PacketState.reservedZero, 'release of a packet that is not reserved')
    }
    slab.free(slot)
  }

  abandon(slot: number): void {
    const { state } = this.#slab
    if (state[slot] === PacketState.committedZero) return
    assert(state[slot] === PacketState.committed, 'abandon of a packet that is not being committed')
    state[slot] = PacketState.abandoned
  }

  settleIn(settlement: SettlementEntry): Promise<boolean> {
    return this.#settle(() => {
      checkSettlement(settlement)
      return this.#desk.settleIn(settlement)
    })
  }

  holdSettlement(settlement: SettlementEntry): Promise<void> {
    return this.#settle(() => {
      checkSettlement(settlement)
      return this.#desk.hold(settlement)
    })
  }

  postSettlement(id: string): Promise<void> {
    return this.#settle(() => {
      checkSettlementId(id)
      return this.#desk.resolve(id, 'post')
    })
  }

  voidSettlement(id: string): Promise<void> {
    return this.#settle(() => {
      checkSettlementId(id)
      return this.#desk.resolve(id, 'void')
    })
  }

  balances(): Promise<AccountBalance[]> {
    return this.#deps.store.balances()
  }

  balance(account: LedgerAccount): Promise<AccountBalance> {
    return this.#deps.store.balance(account.index)
  }

  async history(query: HistoryQuery): Promise<HistoryEntry[]> {
    checkHistoryQuery(query)
    return await this.#deps.store.history(query)
  }

  selfCheck(): Promise<SelfCheck> {
    return this.#deps.store.selfCheck()
  }

  async #settle<T>(call: () => Promise<T>): Promise<T> {
    if (this.#fault !== undefined) throw new LedgerFaultError(`ledger has failed: ${this.#fault.message}`)
    if (this.#state !== 'running') throw new LedgerUnavailableError('the ledger is not running')
    return await call()
  }

  #own(account: LedgerAccount): ExclusiveAccount {
    assert(account instanceof ExclusiveAccount, 'account of another ledger')
    return account
  }

  #at(index: number): ExclusiveAccount {
    const account = this.#accounts.at(index)
    assert(account !== undefined, 'account is not open')
    return account
  }

  /** The batch is durable: what was set aside becomes balance. */
  #landed(batch: BatchBuffer, tookMs: number): void {
    const slab = this.#slab
    for (let at = 0; at < batch.count; at++) {
      const payer = this.#at(batch.payer[at]!)
      if (batch.kind[at] === RecordKind.compensation) {
        payer.balance = add(payer.balance, toAmount(batch.inAmount[at]!))
        continue
      }
      const slot = batch.slot[at]!
      const inAmount = slab.inAmount.get(slot)
      const outAmount = slab.outAmount.get(slot)
      const payee = this.#at(batch.payee[at]!)
      payer.reserved = subtract(payer.reserved, inAmount)
      payer.balance = subtract(payer.balance, inAmount)
      payee.outgoing = subtract(payee.outgoing, outAmount)
      payee.balance = add(payee.balance, outAmount)
      if (slab.state[slot] === PacketState.abandoned) this.#writer.compensate(payer.index, inAmount)
    }
    this.#found(tookMs)
  }

  #announce(batch: BatchBuffer): void {
    for (let at = 0; at < batch.count; at++) {
      if (batch.kind[at] === RecordKind.packet) this.#tell(batch.slot[at]!)
    }
  }

  #tellZero(): void {
    const slots = this.#zeroSlots
    const count = this.#zeroCount
    this.#zeroSlots = this.#zeroSpare
    this.#zeroSpare = slots
    this.#zeroCount = 0
    for (let at = 0; at < count; at++) this.#tell(slots[at]!)
  }

  #tell(slot: number): void {
    this.#slab.free(slot)
    try {
      this.listener.committed(slot)
    } catch (error) {
      this.#deps.logger.error('packet listener failed', { slot, reason: String(error) })
    }
  }

  #found(latencyMs: number): void {
    if (this.#fault !== undefined) return
    this.#latencyMs = latencyMs
    if (this.#reachable) return
    this.#reachable = true
    this.#deps.logger.info('ledger is available')
    this.#desk.catchUpAll()
  }

  #lost(reason: string): void {
    if (!this.#reachable) return
    this.#reachable = false
    this.#deps.logger.warn('ledger is not available: value packets are refused', { reason })
  }

  #failForGood(error: Error): void {
    if (this.#fault !== undefined) return
    this.#fault = error
    this.#reachable = false
    this.#writer.end()
    this.#deps.logger.error('ledger has failed: no value will be taken by this process', {
      reason: error.message,
    })
    this.#deps.onFault(error)
  }
}
