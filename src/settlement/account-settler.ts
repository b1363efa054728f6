import type { LedgerAccount } from '../ledger/ledger.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { BackOff } from './back-off.ts'
import { describeOrder } from './describe-order.ts'
import type { SettlementEngine } from './engine.ts'
import type { OrderCarrier } from './order-carrier.ts'
import type { OutgoingSettlement, SettlementCause } from './outgoing-journal.ts'
import { isBeforeHandOver } from './outgoing-state.ts'
import { planOrders } from './plan-orders.ts'
import type { SettlementIds } from './settlement-ids.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import type { SettlementLedger } from './settlement-ledger.ts'
import { SettlementRefusal } from './settlement-refusal.ts'
import type { SettlementTerms } from './settlement-terms.ts'

/** Orders of one account that have not ended; what exceeds them waits in the balance. */
const OPEN_MAX = 16
/** Rounds of planning and carrying in one go: the parts of one split, and what an engine that is fast leaves room for. */
const ROUNDS_MAX = 8
/** Requests of operators that wait for the account. */
const WAITING_MAX = 16
const ENGINE_BACK_OFF = { firstMs: 1_000, maxMs: 3_600_000 }
/** The ledger is near, and holds are short of an answer while it is away. */
const BOOKS_BACK_OFF = { firstMs: 500, maxMs: 60_000 }
/** What was refused for good is not asked for again at once. */
const REFUSAL_BACK_OFF = { firstMs: 60_000, maxMs: 3_600_000 }
/** Packets of the peer take part of what it is owed: most are answered within this. */
const SPENDING_RECHECK_MS = 1_000

export interface AccountSettlerDeps {
  journal: SettlementJournal
  ledger: SettlementLedger
  carrier: OrderCarrier
  engine(name: string): SettlementEngine | undefined
  /** Why nothing is planned or handed over by an engine; undefined when it is. */
  shutReason(engine: string): string | undefined
  /** Resolves when the account may do a piece of work. */
  turn(): Promise<void>
  ids: SettlementIds
  clock: Clock
  logger: Logger
}

/**
 * Settles one account. Everything it does happens one after another; a new order is planned only when the engine
 * surely has those before it, and only for what they do not cover already.
 */
export class AccountSettler {
  readonly accountId: string
  readonly #deps: AccountSettlerDeps
  readonly #engineBackOff = new BackOff(ENGINE_BACK_OFF)
  /** Of engines that the account settled by before: they must not keep its engine waiting. */
  readonly #formerBackOff = new BackOff(ENGINE_BACK_OFF)
  readonly #booksBackOff = new BackOff(BOOKS_BACK_OFF)
  readonly #backOffs: readonly BackOff[] = [this.#engineBackOff, this.#formerBackOff, this.#booksBackOff]
  readonly #refusalBackOff = new BackOff(REFUSAL_BACK_OFF)
  #account: LedgerAccount | undefined
  #terms: SettlementTerms | undefined
  #nextIntervalMs: number | undefined
  /** An interval has passed and what is owed was not looked at since. */
  #intervalPassed = false
  /** After a refusal: when what is owed is looked at again. */
  #recheckAtMs: number | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #queued: Promise<void> | undefined
  #waiting = 0
  #stopped = false
  /** There may be something to do. */
  #changed = true
  /** Nothing can be planned, whatever the balance; what changes that wakes the settler. */
  #isBlocked = false
  /** The balance has moved since the last tick. */
  #balanceMoved = false
  /** Sum of the orders that had not ended when it was last read; orders that end wake the settler. */
  #openAmountSeen = 0n

  constructor(accountId: string, deps: AccountSettlerDeps) {
    this.accountId = accountId
    this.#deps = deps
  }

  get account(): LedgerAccount | undefined {
    return this.#account
  }

  get terms(): SettlementTerms | undefined {
    return this.#terms
  }

  /** When a failed step is repeated, milliseconds since the epoch; undefined when nothing has failed. */
  get retryAtMs(): number | undefined {
    const due = [...this.#backOffs.map(({ dueAtMs }) => dueAtMs), this.#recheckAtMs]
    const dueAtMs = Math.min(...due.map((atMs) => atMs ?? Number.POSITIVE_INFINITY))
    return dueAtMs === Number.POSITIVE_INFINITY ? undefined : dueAtMs
  }

  /** Terms undefined: what is open is carried to its end, nothing new is planned. */
  configure(account: LedgerAccount, terms: SettlementTerms | undefined): void {
    // Of another engine nothing is known yet.
    if (terms?.engine !== this.#terms?.engine) this.#engineBackOff.succeeded()
    this.#account = account
    this.#terms = terms
    this.#nextIntervalMs =
      terms?.intervalMs === undefined ? undefined : this.#deps.clock.now() + terms.intervalMs
    this.#intervalPassed = false
    this.#changed = true
  }

  balanceChanged(): void {
    this.#balanceMoved = true
  }

  /** The engine is back, or was told of the account: does not wait for the back-off. */
  engineReady(): void {
    this.#engineBackOff.succeeded()
    this.#formerBackOff.succeeded()
    this.#changed = true
  }

  /** Starts work when there may be any. Called often. */
  tick(nowMs: number): void {
    if (this.#nextIntervalMs !== undefined && nowMs >= this.#nextIntervalMs) {
      this.#nextIntervalMs = nowMs + (this.#terms?.intervalMs ?? 0)
      this.#intervalPassed = true
      this.#changed = true
    }
    if (this.#balanceMoved) {
      this.#balanceMoved = false
      if (this.#isThresholdReached()) this.#changed = true
    }
    if (this.#changed || this.#isRetryDue(nowMs)) void this.wake()
  }

  /** Carries on with whatever is to be done. Never rejects; calls that come while one waits share it. */
  wake(): Promise<void> {
    this.#queued ??= this.#enqueue(async () => {
      await this.#deps.turn()
      this.#queued = undefined
      await this.#work()
    })
    return this.#queued
  }

  /**
   * Plans a settlement now: `amount`, or all that is above `settleTo`. Resolves when it is stored.
   * @throws SettlementRefusal when there is nothing to settle, the account is paused, or one is being handed over
   */
  async settleNow(amount: bigint | undefined): Promise<OutgoingSettlement[]> {
    if (this.#waiting >= WAITING_MAX) {
      throw new SettlementRefusal('unavailable', `${WAITING_MAX} requests wait for this account already`)
    }
    this.#waiting++
    try {
      return await this.#enqueue(() => this.#planNow(amount))
    } finally {
      this.#waiting--
      this.#changed = true
      void this.wake()
    }
  }

  /** Resolves when nothing is being done. */
  async idle(): Promise<void> {
    await this.#tail
  }

  /** Finishes the step under way and does nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.idle()
  }

  /** Asked of every account, often: as {@link retryAtMs}, and makes nothing. */
  #isRetryDue(nowMs: number): boolean {
    for (const { dueAtMs } of this.#backOffs) if (dueAtMs !== undefined && nowMs >= dueAtMs) return true
    return this.#recheckAtMs !== undefined && nowMs >= this.#recheckAtMs
  }

  /** By what is in memory: balances move with every packet, and the store is not asked for each. */
  #isThresholdReached(): boolean {
    if (this.#terms === undefined || this.#account === undefined || this.#isBlocked) return false
    if (!this.#isDue(this.#engineBackOff) || !this.#isDue(this.#refusalBackOff)) return false
    const owed = BigInt(this.#account.balance) - this.#openAmountSeen
    return owed >= this.#terms.threshold && owed - this.#terms.settleTo >= this.#terms.minAmount
  }

  #enqueue<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action)
    this.#tail = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }

  async #work(): Promise<void> {
    try {
      for (let round = 0; round < ROUNDS_MAX && !this.#stopped; round++) {
        if (round > 0) await this.#deps.turn()
        this.#changed = false
        const due = this.#backOffs.filter((backOff) => this.#isDue(backOff))
        const before = due.map((backOff) => backOff.failures)
        await this.#carryAll()
        const planned = await this.#attempt(this.#booksBackOff, () => this.#planDue())
        for (const [at, backOff] of due.entries()) if (backOff.failures === before[at]) backOff.succeeded()
        if (!planned) break
      }
      if (!this.#stopped) this.#openAmount()
    } catch (error) {
      this.#failed(this.#booksBackOff, error)
    }
  }

  #isDue(backOff: BackOff): boolean {
    return backOff.isDue(this.#deps.clock.now())
  }

  /** One step after another for every open order, oldest first. */
  async #carryAll(): Promise<void> {
    await this.#attempt(this.#booksBackOff, () => this.#each('carried-out', (o) => this.#post(o)))
    await this.#attempt(this.#booksBackOff, () => this.#each('declined', (o) => this.#giveBack(o)))
    await this.#attempt(this.#booksBackOff, () => this.#each('unholdable', (o) => this.#giveBack(o)))
    if (this.#isPaused()) return
    await this.#attempt(this.#booksBackOff, () => this.#each('planned', (o) => this.#hold(o)))
    await this.#attempt(this.#booksBackOff, () => this.#each('unholdable', (o) => this.#giveBack(o)))
    const handOver = (isFormer: boolean) => () =>
      this.#each('held', async (o) => this.#isFormer(o) === isFormer && (await this.#handOver(o)))
    await this.#attempt(this.#engineBackOff, handOver(false))
    await this.#attempt(this.#formerBackOff, handOver(true))
  }

  /** What the action says, false when it is put off or fails. */
  async #attempt(backOff: BackOff, action: () => Promise<boolean>): Promise<boolean> {
    if (this.#stopped || !this.#isDue(backOff)) return false
    try {
      return await action()
    } catch (error) {
      this.#failed(backOff, error)
      return false
    }
  }

  #failed(backOff: BackOff, error: unknown): void {
    backOff.failed(this.#deps.clock.now())
    const reason = error instanceof Error ? error.message : String(error)
    const { accountId } = this
    const { failures, dueAtMs } = backOff
    this.#deps.logger.warn('settlement step will be repeated', { accountId, reason, failures, dueAtMs })
  }

  async #each(
    state: OutgoingSettlement['state'],
    step: (order: OutgoingSettlement) => Promise<boolean>,
  ): Promise<boolean> {
    let did = false
    for (const order of this.#deps.journal.outgoing.open(this.accountId)) {
      if (this.#stopped || order.state !== state) continue
      // An engine may have told its end since the list was read.
      if (this.#deps.journal.outgoing.get(order.id)?.state !== state) continue
      did = (await step(order)) || did
    }
    return did
  }

  async #post(order: OutgoingSettlement): Promise<boolean> {
    await this.#deps.carrier.post(order)
    this.#refusalBackOff.succeeded()
    this.#deps.logger.info('settled', describeOrder(order))
    return true
  }

  async #giveBack(order: OutgoingSettlement): Promise<boolean> {
    await this.#deps.carrier.giveBack(order)
    this.#refusalBackOff.failed(this.#deps.clock.now())
    this.#recheckAtMs = this.#refusalBackOff.dueAtMs
    this.#deps.logger.warn('settlement refused', { ...describeOrder(order), reason: order.reason })
    return true
  }

  async #hold(order: OutgoingSettlement): Promise<boolean> {
    // A peer that was taken out: its order waits until it is back.
    if (this.#account === undefined || this.#isShut(order.engine)) return false
    if (this.#terms !== undefined && this.#isFormer(order)) {
      // Its engine has not heard of it: the next order goes to the other one.
      const reason = `the account settles by ${this.#terms.engine} now`
      return this.#deps.journal.outgoing.advance(order.id, 'unholdable', reason)
    }
    await this.#deps.carrier.hold(order, this.#account)
    return true
  }

  async #handOver(order: OutgoingSettlement): Promise<boolean> {
    if (this.#isPaused() || this.#isShut(order.engine)) return false
    await this.#deps.carrier.handOver(order)
    this.#deps.logger.info('settlement handed over', describeOrder(order))
    return true
  }

  #isPaused(): boolean {
    return this.#terms?.paused === true || this.#deps.journal.pauseOf(this.accountId) !== undefined
  }

  /** Ordered of an engine by which the account does not settle now. */
  #isFormer({ engine }: OutgoingSettlement): boolean {
    return engine !== this.#terms?.engine
  }

  #isShut(engine: string): boolean {
    return this.#deps.shutReason(engine) !== undefined
  }

  async #planDue(): Promise<boolean> {
    const terms = this.#terms
    const account = this.#account
    if (!this.#isDue(this.#refusalBackOff)) return false
    this.#recheckAtMs = undefined
    if (terms === undefined || account === undefined) return false
    const { engine } = terms
    const isAway = this.#deps.engine(engine) === undefined
    this.#isBlocked = isAway || this.#isPaused() || this.#isShut(engine) || !this.#hasRoom()
    if (this.#isBlocked) return false
    const least = this.#intervalPassed ? terms.settleTo + 1n : terms.threshold
    // The balance in memory is a hint; the books decide.
    const hint = BigInt(account.balance) - this.#openAmount()
    const owed = hint - BigInt(account.reserved) < least ? hint : await this.#owed(account)
    // Paused or changed while the books were asked: it is looked at anew.
    if (this.#stopped || this.#terms !== terms || this.#isPaused()) return false
    // What the peer is spending now is owed again if it comes back: nothing tells when it does.
    const free = owed - BigInt(account.reserved)
    if (owed >= least && free < least) {
      this.#recheckAtMs = this.#deps.clock.now() + SPENDING_RECHECK_MS
      return false
    }
    this.#intervalPassed = false
    if (free < least) return false
    const cause = free >= terms.threshold ? 'threshold' : 'interval'
    const isPlanned = this.#plan(account, terms, free - terms.settleTo, cause).length > 0
    // At once, before the peer spends more of it: what the ledger refuses to hold is not asked for again soon.
    if (isPlanned) await this.#attempt(this.#booksBackOff, () => this.#each('planned', (o) => this.#hold(o)))
    return isPlanned
  }

  async #planNow(amount: bigint | undefined): Promise<OutgoingSettlement[]> {
    const terms = this.#terms
    const account = this.#account
    const name = `account "${this.accountId}"`
    if (this.#stopped) throw new SettlementRefusal('unavailable', 'settlement is stopping')
    if (terms === undefined || account === undefined) {
      throw new SettlementRefusal('not-found', `${name} has no settlement configured`)
    }
    if (this.#isPaused()) throw new SettlementRefusal('conflict', `${name} is paused: resume it first`)
    const shut = this.#deps.shutReason(terms.engine)
    if (shut !== undefined) throw new SettlementRefusal('conflict', `${name} settles nothing: ${shut}`)
    if (!this.#hasRoom()) {
      throw new SettlementRefusal(
        'conflict',
        `${name} has a settlement that is not handed over yet: wait for it`,
      )
    }
    const owed = await this.#owed(account)
    if (this.#terms !== terms || this.#isPaused()) {
      throw new SettlementRefusal('conflict', `${name} was paused or changed meanwhile: ask again`)
    }
    const spending = BigInt(account.reserved)
    const free = owed - spending
    const wanted = amount ?? free - terms.settleTo
    const told = spending === 0n ? '' : ` (${owed} less ${spending} that the peer is spending now)`
    if (wanted <= 0n) throw new SettlementRefusal('conflict', `nothing to settle: ${free} is owed${told}`)
    if (wanted > free) throw new SettlementRefusal('conflict', `only ${free} is owed${told}, not ${wanted}`)
    const planned = this.#plan(account, terms, wanted, 'operator')
    if (planned.length === 0) {
      throw new SettlementRefusal(
        'conflict',
        `${wanted} is less than a unit of the engine or than the minimum of ${terms.minAmount}`,
      )
    }
    return planned
  }

  /** Whether another order may be planned: those before are surely with the engine, and they are not too many. */
  #hasRoom(): boolean {
    const open = this.#deps.journal.outgoing.open(this.accountId)
    return open.length < OPEN_MAX && !open.some((o) => !this.#isFormer(o) && isBeforeHandOver(o.state))
  }

  /** Sum of what is not settled yet and cannot be settled again. */
  #openAmount(): bigint {
    const open = this.#deps.journal.outgoing.open(this.accountId)
    this.#openAmountSeen = open.reduce((sum, order) => sum + order.amount, 0n)
    return this.#openAmountSeen
  }

  /** What we owe and no order covers, by the books. */
  async #owed(account: LedgerAccount): Promise<bigint> {
    const { balance } = await this.#deps.ledger.balance(account)
    // Posted balances still contain what is held. Only this settler posts, and it is busy here.
    return balance - this.#openAmount()
  }

  #plan(
    account: LedgerAccount,
    terms: SettlementTerms,
    amount: bigint,
    cause: SettlementCause,
  ): OutgoingSettlement[] {
    const { journal, ids, logger } = this.#deps
    const engine = this.#deps.engine(terms.engine)
    if (engine === undefined) {
      if (cause !== 'operator') return []
      throw new SettlementRefusal('unavailable', `the engine ${terms.engine} is not running`)
    }
    const planned = planOrders(amount, {
      account,
      terms,
      engineScale: engine.scaleOf(this.accountId),
      cause,
      partsMax: OPEN_MAX - journal.outgoing.open(this.accountId).length,
      ids,
    })
    if (planned.length === 0) return []
    journal.outgoing.plan(planned)
    for (const order of planned) logger.info('settlement planned', describeOrder(order))
    return planned.map((order) => journal.outgoing.get(order.id)!)
  }
}
