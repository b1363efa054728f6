import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/logger.ts'
import { within } from '../../src/lib/within.ts'
import { AlarmOnce } from './alarm-once.ts'
import type { Chain } from './chain.ts'
import type { RaiseAlarm } from './chain-alarm.ts'
import { ChainError } from './chain-error.ts'
import type { EngineStore } from './engine-store.ts'
import { bumpFees, ceilingOf, chooseFees } from './fees.ts'
import { type Finality, type Heads, isCanonical, readHeads } from './finality.ts'
import { ForeignWatch } from './foreign-watch.ts'
import { NonceAllocator } from './nonce-allocator.ts'
import type { FeeMarket, Receipt } from './rpc-answers.ts'
import type { SigningKey } from './signing-key.ts'
import { TxBroadcaster } from './tx-broadcaster.ts'
import type { OpenTx, QueuedIntent, TxAttempt, TxIntent, TxOutcome } from './tx-intent.ts'
import { type PurposeView, TxJournal } from './tx-journal.ts'
import { callOf, costOf, highestOf, mostUrgent, withMargin } from './tx-terms.ts'

/** Places between which a process may end; each leaves something else behind. For fault tests. */
export const SENDER_STEPS = [
  'before-sign',
  'signed',
  'stored',
  'sent',
  'mined',
  'final',
  'outcome-stored',
] as const
export type SenderStep = (typeof SENDER_STEPS)[number]

/** Nonces at once: nodes keep 16 executable transactions per sender for certain. */
const OPEN_MAX = 16
/** Purposes looked at per round beyond those that can be sent: some may have to wait. */
const QUEUE_LOOK_MAX = 64
const POLL_MS = 4_000
/** A pool forgets; sending the same bytes again costs nothing. */
const REBROADCAST_MS = 30_000
/** How long the first of all waiting transactions may wait before its fees rise. */
const BUMP_AFTER_MS = { calm: 45_000, urgent: 15_000 }
/** Signatures under one nonce: fees have grown 400 fold by then. */
const ATTEMPTS_MAX = 64
const STOP_DEADLINE_MS = 6_000

export interface TxSenderOptions {
  readonly finality: Finality
  /** Wei per gas; no transaction ever offers more. */
  readonly maxFeePerGas: bigint
  /** Milliseconds between looks at the chain; 0 for none: `tick` is called from outside then. */
  readonly pollMs?: number
  readonly rebroadcastMs?: number
  readonly bumpAfterMs?: { readonly calm: number; readonly urgent: number }
}

export interface TxSenderDeps {
  readonly chain: Chain
  readonly store: EngineStore
  readonly key: SigningKey
  readonly clock: Clock
  readonly logger: Logger
  readonly alarm: RaiseAlarm
  /**
   * Told exactly once per purpose, inside the database transaction that records it: what it writes to the store is
   * there if and only if the outcome is. When it throws, nothing is recorded and it is told again later.
   */
  readonly onOutcome: (intent: TxIntent, outcome: TxOutcome) => void
  readonly checkpoint?: (step: SenderStep) => void
}

interface View extends Heads {
  /** Transactions of the key that are in blocks: the nonce below which all are used. */
  readonly used: number
  market: FeeMarket | undefined
  /** Something is not understood: sign nothing new in this round. */
  isDoubtful: boolean
}

/**
 * Carries out purposes on chain, each at most once, with one key that nothing else uses. What is signed is stored
 * before it is sent; a purpose is signed under a second nonce only after the first went, finally, to another
 * transaction. Outcomes are read from final blocks alone; what nodes say to a broadcast is information.
 */
export class TxSender {
  readonly #options: Required<Omit<TxSenderOptions, 'pollMs'>>
  readonly #pollMs: number
  readonly #deps: TxSenderDeps
  readonly #journal: TxJournal
  readonly #nonces: NonceAllocator
  readonly #alarms: AlarmOnce
  readonly #watch: ForeignWatch
  readonly #broadcaster: TxBroadcaster
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isFirstRound = true
  #isStopped = true
  #isWoken = false
  #lookedAtMs: number | undefined

  constructor(options: TxSenderOptions, deps: TxSenderDeps) {
    const { pollMs = POLL_MS, rebroadcastMs = REBROADCAST_MS, bumpAfterMs = BUMP_AFTER_MS, ...rest } = options
    this.#pollMs = pollMs
    this.#options = { ...rest, rebroadcastMs, bumpAfterMs }
    this.#deps = deps
    const place = { chainId: deps.chain.chainId, address: deps.key.address }
    this.#journal = new TxJournal(place, deps)
    this.#nonces = new NonceAllocator(place, deps)
    this.#alarms = new AlarmOnce(deps)
    const watched = { chain: deps.chain, nonces: this.#nonces, alarms: this.#alarms }
    this.#watch = new ForeignWatch(place, watched)
    const own = { journal: this.#journal, alarms: this.#alarms, sent: () => this.#checkpoint('sent') }
    this.#broadcaster = new TxBroadcaster({ chain: deps.chain, clock: deps.clock, ...own })
  }

  /**
   * Takes the key into use and takes up what is unfinished: looks at it once before it resolves.
   * @throws KeyInUseError when a key that is new here has transactions waiting
   * @throws ChainError when no node can be used
   */
  async start(): Promise<void> {
    const { chain, key } = this.#deps
    const latest = await chain.transactionCount(key.address, 'latest')
    const pending = await chain.transactionCount(key.address, 'pending')
    this.#nonces.open({ latest, pending })
    this.#isStopped = false
    this.#isFirstRound = true
    await this.tick()
    this.#schedule(this.#pollMs)
  }

  /** Waits a bounded time for the round under way. What is unfinished is taken up by the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    const late = () => new Error('the transaction sender did not stop in time')
    await within(this.#running ?? Promise.resolve(), STOP_DEADLINE_MS, late).catch((error: unknown) => {
      this.#deps.logger.warn('transaction sender stops', { reason: String(error) })
    })
  }

  /** Why nothing new is signed, or undefined: something else used the key. `resume` ends it. */
  get halted(): string | undefined {
    return this.#nonces.halted
  }

  /**
   * For an operator who has made sure that nothing else uses the key any more.
   * @throws ChainError `bad-answer` when the count that a node tells cannot be shown to be right
   */
  async resume(): Promise<void> {
    const { chain, key } = this.#deps
    const { latest } = await readHeads(chain, this.#options.finality)
    const used = await chain.transactionCount(key.address, 'latest')
    await this.#watch.resume(used, latest)
    this.#alarms.reset()
    this.wake()
  }

  /**
   * Stores a purpose; it will be carried out. May be called inside a transaction of the store, and becomes part of it.
   * Repeating it changes nothing.
   * @returns whether it is new
   * @throws PurposeConflictError when the purpose was used for something else
   */
  submit(intent: TxIntent): boolean {
    const isNew = this.#journal.submit(intent, this.#deps.clock.now())
    this.wake()
    return isNew
  }

  /**
   * Takes a purpose back, if that is still possible: the outcome tells. One that was signed is replaced by a transfer
   * to ourselves under the same nonce, and either of the two lands.
   */
  cancel(purpose: string): void {
    const outcome: TxOutcome = { kind: 'cancelled', hash: undefined, feePaid: 0n }
    if (!this.#journal.cancel(purpose, (intent) => this.#deps.onOutcome(intent, outcome))) this.wake()
  }

  purpose(purpose: string): PurposeView | undefined {
    return this.#journal.purpose(purpose)
  }

  /** Nonces that are not final yet, lowest first. */
  open(): readonly OpenTx[] {
    return this.#journal.open()
  }

  /** When a round last went through to its end, by the clock; undefined: never yet. For health and metrics. */
  get lookedAtMs(): number | undefined {
    return this.#lookedAtMs
  }

  /** Looks at the chain soon. */
  wake(): void {
    this.#isWoken = true
    if (this.#running === undefined) this.#schedule(0)
  }

  /** One round: never two at once; never throws. */
  async tick(): Promise<void> {
    this.#isWoken = false
    this.#running ??= this.#round()
      .catch((error: unknown) => {
        const level = error instanceof ChainError ? 'warn' : 'error'
        this.#deps.logger[level]('transaction round ended early', { reason: String(error) })
      })
      .finally(() => {
        this.#running = undefined
      })
    await this.#running
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#pollMs === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      void this.tick().then(() => this.#schedule(this.#isWoken ? 0 : this.#pollMs))
    }, delayMs)
    this.#timer.unref()
  }

  async #round(): Promise<void> {
    const view = await this.#look()
    if (!(await this.#watch.check(view))) view.isDoubtful = true
    await this.#checkMissingFinal(view)
    const open = this.#journal.open()
    for (const tx of open) {
      await this.#attend(tx, open, view)
    }
    this.#isFirstRound = false
    if (!view.isDoubtful && this.#nonces.halted === undefined) await this.#signQueued(view)
    this.#lookedAtMs = this.#deps.clock.now()
  }

  async #attend(tx: OpenTx, open: readonly OpenTx[], view: View): Promise<void> {
    try {
      if (tx.nonce < view.used) await this.#attendUsed(tx, view)
      else await this.#attendWaiting(tx, open, view)
    } catch (error) {
      if (error instanceof ChainError && error.code !== 'rpc-error') throw error
      // One purpose that its owner cannot take note of, say, must not keep the others waiting.
      this.#deps.logger.error('transaction is left for later', {
        purpose: tx.intent.purpose,
        nonce: tx.nonce,
        reason: String(error),
      })
    }
  }

  async #look(): Promise<View> {
    const { chain, key } = this.#deps
    const heads = await readHeads(chain, this.#options.finality)
    const used = await chain.transactionCount(key.address, 'latest')
    return { ...heads, used, market: undefined, isDoubtful: false }
  }

  /** What counted as final is not mined any more: only where the chosen finality was too weak. */
  async #checkMissingFinal(view: View): Promise<void> {
    for (const { nonce, finalBlock } of this.#journal.finalFrom(view.used).slice(0, OPEN_MAX)) {
      // A node that has not come so far proves nothing.
      if (finalBlock > view.final.number) continue
      this.#alarms.raise('final-transaction-missing', nonce, { nonce, block: finalBlock })
      view.isDoubtful = true
      await this.#broadcaster.broadcast(nonce, this.#journal.attempts(nonce))
    }
  }

  async #attendUsed(tx: OpenTx, view: View): Promise<void> {
    const { chain } = this.#deps
    this.#broadcaster.forget(tx.nonce)
    for (const attempt of tx.attempts.toReversed()) {
      const receipt = await chain.receipt(attempt.hash)
      if (receipt === undefined) continue
      this.#checkpoint('mined')
      const { blockNumber: number, blockHash: hash } = receipt
      if (number <= view.final.number && (await isCanonical(chain, { number, hash })) === true) {
        this.#checkpoint('final')
        this.#finish(tx, attempt, receipt)
        this.#checkpoint('outcome-stored')
      }
      return
    }
    const own = tx.attempts.map(({ hash }) => hash)
    view.isDoubtful = true
    if (await this.#watch.isLost(tx.nonce, view, { from: tx.signedBlock, own })) this.#journal.release(tx)
  }

  #finish(tx: OpenTx, attempt: TxAttempt, receipt: Receipt): void {
    const { transactionHash: hash, blockNumber, blockHash, feePaid, logs } = receipt
    const outcome: TxOutcome =
      attempt.kind === 'cancel'
        ? { kind: 'cancelled', hash, feePaid }
        : { kind: receipt.succeeded ? 'succeeded' : 'reverted', hash, blockNumber, blockHash, feePaid, logs }
    this.#journal.finish(tx, receipt, outcome, () => this.#deps.onOutcome(tx.intent, outcome))
    this.#deps.logger.info('transaction is final', { purpose: tx.intent.purpose, kind: outcome.kind, hash })
  }

  async #attendWaiting(tx: OpenTx, open: readonly OpenTx[], view: View): Promise<void> {
    const now = this.#deps.clock.now()
    const last = tx.attempts.at(-1)!
    const isHead = tx.nonce === view.used
    if (tx.intent.isCancelled && last.kind !== 'cancel') {
      await this.#replace(tx, 'cancel', tx.intent, view)
      return
    }
    if (isHead) {
      // All others wait behind this one: it is as urgent as the most urgent of them.
      const demand = mostUrgent(open.map(({ intent }) => intent))
      const isStuck = now - last.createdMs >= this.#options.bumpAfterMs[demand.urgency]
      const isDue = isStuck || this.#broadcaster.isUnderpriced(tx.nonce)
      if (isDue && (await this.#replace(tx, last.kind, { ...tx.intent, ...demand }, view))) return
    }
    const isFresh = last.sentMs !== undefined && now - last.sentMs < this.#options.rebroadcastMs
    if (!isFresh || this.#isFirstRound) await this.#broadcaster.broadcast(tx.nonce, tx.attempts)
  }

  /** Signs the same nonce again with higher fees. @returns whether it did */
  async #replace(tx: OpenTx, kind: TxAttempt['kind'], intent: QueuedIntent, view: View): Promise<boolean> {
    const { chain, clock, key, logger } = this.#deps
    const self = { from: key.address, to: key.address, value: 0n, data: '0x' } as const
    const call = kind === 'cancel' ? self : { from: key.address, ...callOf(tx.intent) }
    const gas = kind === 'cancel' ? withMargin(await chain.estimateGas(self)) : tx.gasLimit
    // What cancels moves nothing: the purpose's budget does not bind it, the ceiling does.
    const { maxFeePerGas } = this.#options
    const ceiling = kind === 'cancel' ? maxFeePerGas : ceilingOf(intent.feeBudget, gas, maxFeePerGas)
    const nowMs = clock.now()
    const fresh = chooseFees(await this.#market(view), { ...intent, nowMs, ceiling })
    const fees = bumpFees(highestOf(tx.attempts), fresh, ceiling)
    if (fees === undefined || tx.attempts.length >= ATTEMPTS_MAX) {
      this.#alarms.raise('fee-limit', tx.nonce, { purpose: intent.purpose, nonce: tx.nonce })
      return false
    }
    const { chainId } = chain
    const unsigned = {
      chainId,
      nonce: tx.nonce,
      to: call.to,
      value: call.value,
      data: call.data,
      gas,
      ...fees,
    }
    this.#checkpoint('before-sign')
    const signed = await key.sign(unsigned)
    this.#checkpoint('signed')
    const attempt = { ...signed, ...fees, kind, createdMs: nowMs, sentMs: undefined }
    this.#journal.recordAttempt(tx.nonce, attempt)
    this.#checkpoint('stored')
    this.#broadcaster.forget(tx.nonce)
    logger.info('transaction replaced', { purpose: intent.purpose, nonce: tx.nonce, kind, hash: signed.hash })
    await this.#broadcaster.broadcast(tx.nonce, [...tx.attempts, attempt])
    return true
  }

  async #signQueued(view: View): Promise<void> {
    let room = OPEN_MAX - this.#journal.open().length
    for (const intent of this.#journal.queued(QUEUE_LOOK_MAX)) {
      if (room <= 0 || this.#isStopped) return
      if (await this.#signFirst(intent, view)) room--
    }
  }

  /** @returns whether the purpose has a nonce now; otherwise it waits */
  async #signFirst(intent: QueuedIntent, view: View): Promise<boolean> {
    const { chain, clock, key, store } = this.#deps
    const gas = await this.#gasFor(intent)
    if (gas === undefined) return false
    const ceiling = ceilingOf(intent.feeBudget, gas, this.#options.maxFeePerGas)
    const nowMs = clock.now()
    const fees = chooseFees(await this.#market(view), { ...intent, nowMs, ceiling })
    if (fees === undefined) {
      this.#alarms.raise('fee-limit', intent.purpose, { purpose: intent.purpose })
      return false
    }
    const open = this.#journal.open().filter(({ nonce }) => nonce >= view.used)
    const promised = open.reduce(
      (sum, tx) => sum + costOf(tx.intent.value, tx.gasLimit, highestOf(tx.attempts)),
      0n,
    )
    if ((await chain.balance(key.address, 'latest')) < promised + costOf(intent.value, gas, fees)) {
      this.#alarms.raise('low-funds', intent.purpose, { purpose: intent.purpose, address: key.address })
      return false
    }
    const nonce = this.#nonces.next
    this.#checkpoint('before-sign')
    const signed = await key.sign({ chainId: chain.chainId, nonce, gas, ...callOf(intent), ...fees })
    this.#checkpoint('signed')
    const attempt = { ...signed, ...fees, kind: 'call' as const, createdMs: nowMs, sentMs: undefined }
    const place = { nonce, gasLimit: gas, signedBlock: view.latest.number }
    const isStored = store.transaction(() => {
      // It may have been cancelled meanwhile: then the signature is forgotten, and was never anywhere else.
      if (this.#journal.purpose(intent.purpose)?.state !== 'queued') return false
      this.#nonces.take(nonce)
      this.#journal.recordSigned(intent, place, attempt)
      return true
    })
    if (!isStored) return false
    this.#checkpoint('stored')
    await this.#broadcaster.broadcast(nonce, [attempt])
    return true
  }

  /** Undefined when the call would revert now. */
  async #gasFor(intent: QueuedIntent): Promise<bigint | undefined> {
    if (intent.gasLimit !== undefined) return intent.gasLimit
    const { chain, key } = this.#deps
    try {
      return withMargin(await chain.estimateGas({ from: key.address, ...callOf(intent) }))
    } catch (error) {
      // Not only a revert: no answer about this purpose may keep the others from being sent.
      const isAboutIt =
        error instanceof ChainError && (error.code === 'rpc-error' || error.code === 'bad-answer')
      if (!isAboutIt) throw error
      this.#alarms.raise('would-revert', intent.purpose, { purpose: intent.purpose, reason: error.message })
      return undefined
    }
  }

  async #market(view: View): Promise<FeeMarket> {
    view.market ??= await this.#deps.chain.fees()
    return view.market
  }

  #checkpoint(step: SenderStep): void {
    this.#deps.checkpoint?.(step)
  }
}
