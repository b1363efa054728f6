import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/logger.ts'
import type { AlarmOnce } from './alarm-once.ts'
import type { Chain } from './chain.ts'
import { ChainError } from './chain-error.ts'
import type { EngineStore } from './engine-store.ts'
import { bumpFees, ceilingOf, chooseFees } from './fees.ts'
import type { NonceAllocator } from './nonce-allocator.ts'
import type { RoundView } from './round-view.ts'
import type { FeeMarket } from './rpc-answers.ts'
import type { SigningKey } from './signing-key.ts'
import type { TxBroadcaster } from './tx-broadcaster.ts'
import type { FeePair, OpenTx, QueuedIntent, TxAttempt } from './tx-intent.ts'
import type { TxJournal } from './tx-journal.ts'
import { callOf, costOf, highestOf, withMargin } from './tx-terms.ts'

/** Nonces at once: nodes keep 16 executable transactions per sender for certain. */
const OPEN_MAX = 16
/** On top for what is urgent: a pool that is full may drop them, and they are sent again. */
const OPEN_MAX_URGENT = 4
/** Purposes looked at per round beyond those that can be sent: some may have to wait. */
const QUEUE_LOOK_MAX = 64
/** Signatures under one nonce: fees have grown 400 fold by then. */
const ATTEMPTS_MAX = 64
/** JSON-RPC code of nodes for "execution reverted". */
const REVERTED = 3
/** Purposes remembered to revert: those that are looked at in a round, and some that were taken back. */
const REVERTING_MAX = 1_000

export interface TxSignerDeps {
  readonly chain: Chain
  readonly store: EngineStore
  readonly key: SigningKey
  readonly clock: Clock
  readonly logger: Logger
  readonly journal: TxJournal
  readonly nonces: NonceAllocator
  readonly alarms: AlarmOnce
  readonly broadcaster: TxBroadcaster
  readonly checkpoint: (step: 'before-sign' | 'signed' | 'stored') => void
  /** Takes a purpose back that was never signed, or whose nonce is lost for good. */
  readonly giveUp: (purpose: string) => void
}

/** Signs transactions, first versions and replacements: with what fees, under which nonce, stored before they are sent. */
export class TxSigner {
  readonly #maxFeePerGas: bigint
  readonly #revertPatienceMs: number
  readonly #deps: TxSignerDeps
  /** Since when purposes would revert each time they were looked at. */
  readonly #revertingMs = new Map<string, number>()

  /**
   * @param options wei per gas: no transaction ever offers more; how long a purpose that would revert may wait for
   * that to change
   */
  constructor(options: { maxFeePerGas: bigint; revertPatienceMs: number }, deps: TxSignerDeps) {
    this.#maxFeePerGas = options.maxFeePerGas
    this.#revertPatienceMs = options.revertPatienceMs
    this.#deps = deps
  }

  /** Gives nonces to purposes that wait, the urgent ones first, as many as there is room for. */
  async signQueued(view: RoundView, isStopped: () => boolean): Promise<void> {
    const { journal, logger } = this.#deps
    let room = OPEN_MAX - journal.open().length
    for (const intent of journal.queued(QUEUE_LOOK_MAX)) {
      if (isStopped()) return
      const left = intent.urgency === 'urgent' ? room + OPEN_MAX_URGENT : room
      if (left <= 0) continue
      try {
        if (await this.#signFirst(intent, view)) room--
      } catch (error) {
        if (!isAboutOne(error)) throw error
        logger.error('purpose is left for later', { purpose: intent.purpose, reason: String(error) })
      }
    }
  }

  /** Signs the same nonce again with higher fees. @returns whether it did */
  async replace(
    tx: OpenTx,
    kind: TxAttempt['kind'],
    intent: QueuedIntent,
    view: RoundView,
  ): Promise<boolean> {
    const { alarms, broadcaster, chain, clock, journal, key, logger } = this.#deps
    const self = { from: key.address, to: key.address, value: 0n, data: '0x' } as const
    const call = kind === 'cancel' ? self : { from: key.address, ...callOf(tx.intent) }
    const gas = kind === 'cancel' ? withMargin(await chain.estimateGas(self)) : tx.gasLimit
    // What cancels moves nothing: the purpose's budget does not bind it, the ceiling does.
    const ceiling =
      kind === 'cancel' ? this.#maxFeePerGas : ceilingOf(intent.feeBudget, gas, this.#maxFeePerGas)
    const nowMs = clock.now()
    const fresh = chooseFees(await this.#market(view), { ...intent, nowMs, ceiling })
    const fees = bumpFees(highestOf(tx.attempts), fresh, ceiling)
    if (fees === undefined || tx.attempts.length >= ATTEMPTS_MAX) {
      alarms.raise('fee-limit', tx.nonce, { purpose: intent.purpose, nonce: tx.nonce })
      return false
    }
    const { data, to, value } = call
    const attempt = await this.#sign({ nonce: tx.nonce, to, value, data, gas, ...fees }, kind, nowMs)
    journal.recordAttempt(tx.nonce, attempt)
    this.#deps.checkpoint('stored')
    broadcaster.forget(tx.nonce)
    const { hash } = attempt
    logger.info('transaction replaced', { purpose: intent.purpose, nonce: tx.nonce, kind, hash })
    await broadcaster.broadcast(tx.nonce, [...tx.attempts, attempt])
    return true
  }

  /** @returns whether the purpose has a nonce now; otherwise it waits */
  async #signFirst(intent: QueuedIntent, view: RoundView): Promise<boolean> {
    const { alarms, broadcaster, chain, clock, journal, key, nonces, store } = this.#deps
    const gas = await this.#gasFor(intent)
    if (gas === undefined) return false
    const ceiling = ceilingOf(intent.feeBudget, gas, this.#maxFeePerGas)
    const nowMs = clock.now()
    const fees = chooseFees(await this.#market(view), { ...intent, nowMs, ceiling })
    if (fees === undefined) {
      alarms.raise('fee-limit', intent.purpose, { purpose: intent.purpose })
      return false
    }
    if (
      (await chain.balance(key.address, 'latest')) <
      this.#promised(view) + costOf(intent.value, gas, fees)
    ) {
      alarms.raise('low-funds', intent.purpose, { purpose: intent.purpose, address: key.address })
      return false
    }
    const nonce = nonces.next
    const attempt = await this.#sign({ nonce, gas, ...callOf(intent), ...fees }, 'call', nowMs)
    const place = { nonce, gasLimit: gas, signedBlock: view.latest.number }
    const isStored = store.transaction(() => {
      // It may have been cancelled meanwhile: then the signature is forgotten, and was never anywhere else.
      if (journal.purpose(intent.purpose)?.state !== 'queued') return false
      nonces.take(nonce)
      journal.recordSigned(intent, place, attempt)
      return true
    })
    if (!isStored) return false
    this.#deps.checkpoint('stored')
    await broadcaster.broadcast(nonce, [attempt])
    return true
  }

  async #sign(
    unsigned: FeePair & { nonce: number; gas: bigint } & ReturnType<typeof callOf>,
    kind: TxAttempt['kind'],
    nowMs: number,
  ): Promise<TxAttempt> {
    const { chain, checkpoint, key } = this.#deps
    checkpoint('before-sign')
    const signed = await key.sign({ chainId: chain.chainId, ...unsigned })
    checkpoint('signed')
    const { maxFeePerGas, maxPriorityFeePerGas } = unsigned
    return { ...signed, maxFeePerGas, maxPriorityFeePerGas, kind, createdMs: nowMs, sentMs: undefined }
  }

  /** Wei that transactions on their way may take from the balance. */
  #promised(view: RoundView): bigint {
    return this.#deps.journal
      .open()
      .filter(({ nonce }) => nonce >= view.used)
      .reduce((sum, tx) => sum + costOf(tx.intent.value, tx.gasLimit, highestOf(tx.attempts)), 0n)
  }

  /** Undefined when the call would revert now. */
  async #gasFor(intent: QueuedIntent): Promise<bigint | undefined> {
    if (intent.gasLimit !== undefined) return intent.gasLimit
    const { alarms, chain, key } = this.#deps
    try {
      const gas = withMargin(await chain.estimateGas({ from: key.address, ...callOf(intent) }))
      this.#revertingMs.delete(intent.purpose)
      return gas
    } catch (error) {
      if (!(error instanceof ChainError) || error.code !== 'rpc-error') throw error
      const fields = { purpose: intent.purpose, reason: error.message }
      alarms.raise('would-revert', intent.purpose, fields)
      if (error.rpcCode === REVERTED) this.#reverted(intent.purpose)
      return undefined
    }
  }

  /** It has never been sent, or can never land: after some patience its owner is told so. */
  #reverted(purpose: string): void {
    const { clock, giveUp, logger } = this.#deps
    const now = clock.now()
    const sinceMs = this.#revertingMs.get(purpose) ?? now
    if (now - sinceMs < this.#revertPatienceMs) {
      if (this.#revertingMs.size >= REVERTING_MAX) this.#revertingMs.clear()
      this.#revertingMs.set(purpose, sinceMs)
      return
    }
    this.#revertingMs.delete(purpose)
    logger.warn('a purpose that would revert is given up', { purpose, sinceMs })
    giveUp(purpose)
  }

  async #market(view: RoundView): Promise<FeeMarket> {
    view.market ??= await this.#deps.chain.fees()
    return view.market
  }
}

/** Whether an error may be about one purpose alone: then it must not keep the others from being sent. */
export function isAboutOne(error: unknown): boolean {
  return !(error instanceof ChainError) || error.code === 'rpc-error' || error.code === 'bad-answer'
}
