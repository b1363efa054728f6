import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/logger.ts'
import { within } from '../../src/lib/within.ts'
import { AlarmOnce } from './alarm-once.ts'
import type { Chain } from './chain.ts'
import type { RaiseAlarm } from './chain-alarm.ts'
import { ChainError } from './chain-error.ts'
import type { EngineStore } from './engine-store.ts'
import { type Finality, isCanonical, readHeads } from './finality.ts'
import { ForeignWatch } from './foreign-watch.ts'
import { NonceAllocator } from './nonce-allocator.ts'
import { readUsed } from './read-used.ts'
import type { RoundView } from './round-view.ts'
import type { Receipt } from './rpc-answers.ts'
import type { SigningKey } from './signing-key.ts'
import { TxBroadcaster } from './tx-broadcaster.ts'
import type { OpenTx, TxAttempt, TxIntent, TxOutcome } from './tx-intent.ts'
import { type PurposeView, TxJournal } from './tx-journal.ts'
import { isAboutOne, TxSigner } from './tx-signer.ts'
import { headDemand } from './tx-terms.ts'

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

/** What counted as final and is mined no more, looked at per round. */
const MISSING_LOOK_MAX = 16
const POLL_MS = 4_000
/** A pool forgets; sending the same bytes again costs nothing. */
const REBROADCAST_MS = 30_000
/** How long the first of all waiting transactions may wait before its fees rise. */
const BUMP_AFTER_MS = { calm: 45_000, urgent: 15_000 }
/** No chain in use makes no block for so long. */
const STALE_HEAD_MS = 10 * 60_000
/** A node that lags is soon right again. */
const DOUBT_MS = 10 * 60_000
/** A purpose that would revert: what it waits for, another transaction or a paused token, comes in this time or not soon. */
const REVERT_PATIENCE_MS = 10 * 60_000
const STOP_DEADLINE_MS = 6_000

export interface TxSenderOptions {
  readonly finality: Finality
  /** Wei per gas; no transaction ever offers more. */
  readonly maxFeePerGas: bigint
  /** Milliseconds between looks at the chain; 0 for none: `tick` is called from outside then. */
  readonly pollMs?: number
  readonly rebroadcastMs?: number
  readonly bumpAfterMs?: { readonly calm: number; readonly urgent: number }
  /** How long a purpose that would revert waits for that to change; then it is taken back. */
  readonly revertPatienceMs?: number
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

/**
 * Carries out purposes on chain, each at most once, with one key that nothing else uses. What is signed is stored
 * before it is sent; a purpose is signed under a second nonce only after the first went, finally, to another
 * transaction. Outcomes are read from final blocks alone; what nodes say to a broadcast is information.
 */
export class TxSender {
  readonly #options: Required<Omit<TxSenderOptions, 'pollMs' | 'revertPatienceMs'>>
  readonly #pollMs: number
  readonly #deps: TxSenderDeps
  readonly #journal: TxJournal
  readonly #nonces: NonceAllocator
  readonly #alarms: AlarmOnce
  readonly #watch: ForeignWatch
  readonly #broadcaster: TxBroadcaster
  readonly #signer: TxSigner
  /** The highest block seen, and when it was new. */
  #head: { readonly number: number; readonly sinceMs: number } | undefined
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isFirstRound = true
  #isStopped = true
  #isWoken = false
  #lookedAtMs: number | undefined
  #failure: string | undefined
  #doubtSinceMs: number | undefined

  constructor(options: TxSenderOptions, deps: TxSenderDeps) {
    const { pollMs = POLL_MS, rebroadcastMs = REBROADCAST_MS, bumpAfterMs = BUMP_AFTER_MS, ...rest } = options
    const { revertPatienceMs = REVERT_PATIENCE_MS } = rest
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
    const parts = { journal: this.#journal, nonces: this.#nonces, alarms: this.#alarms }
    const checkpoint = (step: SenderStep) => this.#checkpoint(step)
    const giveUp = (purpose: string) => this.cancel(purpose)
    this.#signer = new TxSigner(
      { maxFeePerGas: rest.maxFeePerGas, revertPatienceMs },
      { ...deps, ...parts, broadcaster: this.#broadcaster, checkpoint, giveUp },
    )
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
    const { halted } = this.#nonces
    if (halted !== undefined) this.#alarms.raise('foreign-transaction', 'halted', { reason: halted })
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
   * Why nothing new goes out although nodes answer, in words for operators; undefined: all is well. `resume` ends only
   * what `halted` tells.
   */
  get trouble(): string | undefined {
    const { halted } = this
    if (halted !== undefined) return halted
    const now = this.#deps.clock.now()
    if (this.#head !== undefined && now - this.#head.sinceMs >= STALE_HEAD_MS) {
      return `no node has shown a block above ${this.#head.number} since ${isoTime(this.#head.sinceMs)}`
    }
    if (this.#doubtSinceMs === undefined || now - this.#doubtSinceMs < DOUBT_MS) return undefined
    return `nothing is signed since ${isoTime(this.#doubtSinceMs)}: what nodes tell of the key's transactions does not fit what was sent, see the alarms`
  }

  /** Why the last round did not go through, or undefined. */
  get failure(): string | undefined {
    return this.#failure
  }

  /**
   * For an operator who has made sure that nothing else uses the key any more.
   * @returns whether there was anything to resume
   * @throws ChainError `bad-answer` when the count that a node tells cannot be shown to be right; `not-final` when
   * something signed here lost its nonce, and that is not final
   */
  async resume(): Promise<boolean> {
    // A round goes by what was true when it began, and would halt again.
    while (this.#running !== undefined) await this.#running
    const resuming = this.#resume()
    const done = () => {
      this.#running = undefined
    }
    this.#running = resuming.then(done, done)
    if (!(await resuming)) return false
    this.wake()
    return true
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
        this.#failure = String(error)
        this.#deps.logger[level]('transaction round ended early', { reason: this.#failure })
        if (error instanceof ChainError && error.code === 'wrong-chain') {
          this.#alarms.raise('wrong-chain', this.#deps.chain.chainId, { reason: error.message })
        }
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

  async #resume(): Promise<boolean> {
    const { chain, key } = this.#deps
    const { latest } = await readHeads(chain, this.#options.finality)
    const used = await chain.transactionCount(key.address, 'latest')
    if (!(await this.#watch.resume(used, latest, this.#journal.open()))) return false
    this.#alarms.reset()
    return true
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
    this.#alarms.end('wrong-chain', this.#deps.chain.chainId)
    if (!view.isDoubtful && this.#nonces.halted === undefined) {
      await this.#signer.signQueued(view, () => this.#isStopped)
    }
    this.#lookedAtMs = this.#deps.clock.now()
    this.#failure = undefined
    this.#doubtSinceMs = view.isDoubtful ? (this.#doubtSinceMs ?? this.#lookedAtMs) : undefined
  }

  async #attend(tx: OpenTx, open: readonly OpenTx[], view: RoundView): Promise<void> {
    try {
      if (tx.nonce < view.used) await this.#attendUsed(tx, view)
      else await this.#attendWaiting(tx, open, view)
    } catch (error) {
      if (!isAboutOne(error)) throw error
      // One purpose that its owner cannot take note of, say, must not keep the others waiting.
      this.#deps.logger.error('transaction is left for later', {
        purpose: tx.intent.purpose,
        nonce: tx.nonce,
        reason: String(error),
      })
    }
  }

  async #look(): Promise<RoundView> {
    const { chain, key } = this.#deps
    const heads = await readHeads(chain, this.#options.finality)
    this.#checkHead(heads.latest.number)
    const used = await chain.transactionCount(key.address, 'latest')
    return { ...heads, used, market: undefined, isDoubtful: false }
  }

  /** Whoever stands still tells no news, good or bad: an operator must see to it. */
  #checkHead(number: number): void {
    const now = this.#deps.clock.now()
    const head = this.#head
    if (head === undefined || number > head.number) this.#head = { number, sinceMs: now }
    else if (now - head.sinceMs >= STALE_HEAD_MS) {
      this.#alarms.raise('stale-head', head.number, { highest: head.number, told: number })
    }
  }

  /** What counted as final is not mined any more: only where the chosen finality was too weak. */
  async #checkMissingFinal(view: RoundView): Promise<void> {
    const gone = this.#journal.finalFrom(view.used).slice(0, MISSING_LOOK_MAX)
    if (gone.length === 0) return
    // Perhaps the node that told the count lags behind the one that told the heads.
    const { head, used } = await readUsed(this.#deps.chain, this.#deps.key.address)
    for (const { nonce, finalBlock } of gone) {
      // A node that has not come so far proves nothing.
      if (finalBlock > view.final.number || finalBlock > head || nonce < used) continue
      this.#alarms.raise('final-transaction-missing', nonce, { nonce, block: finalBlock })
      view.isDoubtful = true
      await this.#broadcaster.broadcast(nonce, this.#journal.attempts(nonce))
    }
  }

  async #attendUsed(tx: OpenTx, view: RoundView): Promise<void> {
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

  async #attendWaiting(tx: OpenTx, open: readonly OpenTx[], view: RoundView): Promise<void> {
    const now = this.#deps.clock.now()
    const last = tx.attempts.at(-1)!
    const isHead = tx.nonce === view.used
    if (tx.intent.isCancelled && last.kind !== 'cancel') {
      await this.#signer.replace(tx, 'cancel', tx.intent, view)
      return
    }
    if (isHead) {
      // All others wait behind this one.
      const demand = headDemand(open.filter(({ nonce }) => nonce >= tx.nonce).map(({ intent }) => intent))
      const isStuck = now - last.createdMs >= this.#options.bumpAfterMs[demand.urgency]
      const isDue = isStuck || this.#broadcaster.isUnderpriced(tx.nonce)
      if (isDue && (await this.#signer.replace(tx, last.kind, { ...tx.intent, ...demand }, view))) return
    }
    const isFresh = last.sentMs !== undefined && now - last.sentMs < this.#options.rebroadcastMs
    if (!isFresh || this.#isFirstRound) await this.#broadcaster.broadcast(tx.nonce, tx.attempts)
  }

  #checkpoint(step: SenderStep): void {
    this.#deps.checkpoint?.(step)
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
