import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import { within } from '../../lib/within.ts'
import {
  type ChannelOperations,
  type ChannelView,
  type EngineAccount,
  EngineConfigError,
  type EngineHost,
  type EngineStatement,
  EngineUnavailableError,
  MessageRefusedError,
  OrderConflictError,
  type OrderVerdict,
  type Quantity,
  type SettlementEngine,
  type SettlementOrder,
  VerdictRefusedError,
} from '../engine.ts'
import { addQuantities, checkQuantity, compareQuantities } from '../quantity.ts'
import { DeliveryFailure, DeliveryQueue } from './delivery-queue.ts'
import type { EngineJournal, JournalAccount, JournalOrder } from './engine-journal.ts'
import { ForeignEngine } from './foreign-engine.ts'
import { intakeRoutes } from './intake-routes.ts'
import { RETRY_POLICY } from './retry-policy.ts'
import { checkOptions, type Rfc38EngineOptions } from './rfc38-engine-options.ts'
import { Rfc38HttpClient } from './rfc38-http-client.ts'
import { isAccountId, Rfc38HttpServer } from './rfc38-http-server.ts'
import { deriveKey } from './rfc38-key.ts'
import { quantityBody } from './rfc38-quantity.ts'

/** Requests to settle under way at once. */
const ORDERS_AT_ONCE = 8
const CREDITS_AT_ONCE = 8
const ACCOUNTS_AT_ONCE = 2
/** Unfinished orders, all accounts together: the coordinator has few per account; above it something is wrong. */
const UNFINISHED_MAX = 100_000
/** What the node does with an order or a credit is a write of its own; later it is asked again. Milliseconds. */
const HOST_DEADLINE_MS = 10_000
/** A message goes to the peer's engine and back. Milliseconds. */
const MESSAGE_DEADLINE_MS = 35_000
const ORDER_ID = /^[A-Za-z0-9_.:-]{1,128}$/
/** Orders told in `differences`, each with what its engine answers; the first ones stand for the rest. */
const DIFFERENCES_MAX = 10

export interface Rfc38EngineDeps {
  readonly host: EngineHost
  /** Started and stopped by the engine. */
  readonly journal: EngineJournal
  readonly clock: Clock
  readonly logger: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * A foreign settlement engine behind RFC 38 HTTP, as this node uses it. An order is stored and then POSTed under one
 * Idempotency-Key until the engine acknowledges it; then it counts as carried out, because RFC 38 leaves the rest to the
 * engine. No answer of the protocol proves that nothing was or will be moved: orders are never refused on their own,
 * only {@link Rfc38Engine.abandon} does, and an operator answers for it.
 */
export class Rfc38Engine implements SettlementEngine {
  readonly operations: ChannelOperations | undefined = undefined
  readonly #options: Rfc38EngineOptions
  readonly #deps: Rfc38EngineDeps
  readonly #client: Rfc38HttpClient
  readonly #foreign: ForeignEngine
  readonly #server: Rfc38HttpServer
  #queues: { orders: DeliveryQueue; credits: DeliveryQueue; accounts: DeliveryQueue } | undefined
  /** Orders that are being sent now. */
  readonly #sending = new Set<string>()

  /** @throws EngineConfigError for options that cannot work */
  constructor(options: Rfc38EngineOptions, deps: Rfc38EngineDeps) {
    checkOptions(options)
    this.#options = options
    this.#deps = deps
    this.#client = asConfig('url', () => new Rfc38HttpClient(options))
    this.#foreign = new ForeignEngine(this.#client)
    const onCredit = () => this.#queues?.credits.wake()
    const routes = intakeRoutes({ engineName: options.name, onCredit, ...deps })
    this.#server = asConfig(
      'listen',
      () => new Rfc38HttpServer(options.listen, { routes, logger: deps.logger }),
    )
  }

  get name(): string {
    return this.#options.name
  }

  /** Where the foreign engine reaches this node, to be set as its connector URL; undefined while stopped. */
  get connectorUrl(): string | undefined {
    return this.#server.url()
  }

  async start(): Promise<void> {
    if (this.#queues !== undefined) return
    const { journal } = this.#deps
    journal.start()
    this.#client.start()
    const queues = {
      orders: this.#queue('settlement', ORDERS_AT_ONCE, journal.orderDeliveries, (id, signal) =>
        this.#deliverOrder(id, signal),
      ),
      credits: this.#queue('credit', CREDITS_AT_ONCE, journal.creditDeliveries, (id) =>
        this.#deliverCredit(id),
      ),
      accounts: this.#queue('account', ACCOUNTS_AT_ONCE, journal.accountDeliveries, (id, signal) =>
        this.#deliverAccount(id, signal),
      ),
    }
    this.#queues = queues
    try {
      await this.#server.start()
    } catch (error) {
      await this.stop()
      throw error
    }
    queues.accounts.start()
    queues.orders.start()
    queues.credits.start()
  }

  async stop(): Promise<void> {
    const queues = this.#queues
    this.#queues = undefined
    await this.#server.stop()
    await Promise.all([queues?.orders.stop(), queues?.credits.stop(), queues?.accounts.stop()])
    await this.#client.stop()
    this.#deps.journal.stop()
  }

  /** RFC 38 has no call for it: any answer of the server will do. */
  async probe(signal: AbortSignal): Promise<void> {
    await this.#client.probe(signal)
  }

  async openAccount(account: EngineAccount): Promise<void> {
    if (!isAccountId(account.id))
      throw new EngineConfigError('id', `account "${account.id}" has no URL-safe id, as RFC 38 asks for`)
    const [unknown] = Object.keys(account.options)
    if (unknown !== undefined)
      throw new EngineConfigError(unknown, 'unknown option: a foreign engine takes no options per account')
    this.#deps.journal.openAccount(account)
    this.#queues?.accounts.wake()
  }

  async closeAccount(accountId: string): Promise<void> {
    const todo = this.#options.deleteAccounts === true ? 'delete' : undefined
    this.#deps.journal.closeAccount(accountId, todo)
    this.#queues?.accounts.wake()
  }

  scaleOf(accountId: string): number {
    return this.#options.scale ?? this.#account(accountId).assetScale
  }

  async settle(order: SettlementOrder): Promise<void> {
    const { journal } = this.#deps
    if (!ORDER_ID.test(order.id)) throw new RangeError(`"${order.id}" cannot be the id of an order`)
    checkQuantity(order.quantity)
    if (order.quantity.amount === 0n) throw new RangeError('an order is for more than nothing')
    // Written once before it is stored: what cannot be sent is not taken.
    quantityBody(order.quantity)
    const known = readOrder(journal, order.id)
    if (known === undefined) {
      if (this.#account(order.accountId).state !== 'open')
        throw new EngineUnavailableError(`account ${order.accountId} is closed: nothing was stored`)
      this.#store(order)
    } else checkSame(known, order)
    this.#queues?.orders.wake()
  }

  async receive(accountId: string, message: Buffer): Promise<Buffer> {
    const account = this.#deps.journal.account(accountId)
    if (account?.state !== 'open') throw new MessageRefusedError('no-account', 'this account is not served')
    const answer = await this.#foreign.message(accountId, message)
    if (answer !== 'unknown-account') return answer
    await this.#setUpNow(accountId)
    const second = await this.#foreign.message(accountId, message)
    if (second !== 'unknown-account') return second
    throw new EngineUnavailableError(
      `the engine does not know account ${accountId}, right after it was set up`,
    )
  }

  async statement(accountId: string): Promise<EngineStatement> {
    const { journal } = this.#deps
    const account = this.#account(accountId)
    let open: Quantity = { amount: 0n, scale: 0 }
    const differences: string[] = []
    for (const order of journal.unfinished(accountId)) {
      open = addQuantities(open, order.quantity)
      if (order.problem !== undefined && differences.length < DIFFERENCES_MAX)
        differences.push(`order ${order.id}, ${order.failures} attempts in vain: ${order.problem}`)
    }
    return { accountId, settled: account.settled, open, credited: account.credited, differences }
  }

  channels(): readonly ChannelView[] {
    return []
  }

  /**
   * Ends an order by the word of an operator who has made sure in the books of the foreign engine, which is never told
   * of it again. Only an order that it has not acknowledged.
   */
  async abandon(order: SettlementOrder, verdict: OrderVerdict): Promise<void> {
    const { journal, logger } = this.#deps
    const { id } = order
    this.#account(order.accountId)
    const known = readOrder(journal, id)
    if (known !== undefined) checkSame(known, order)
    if (known !== undefined && known.state !== 'open')
      throw new VerdictRefusedError(`order ${id} is ${known.state}: the node is told its end by itself`)
    if (this.#sending.has(id)) throw new VerdictRefusedError(`order ${id} is being sent now: try again`)
    const key = known?.key ?? this.#keyOf(order)
    if (known?.doubtful !== false && !verdict.doubtful) {
      const why =
        known === undefined ? 'the journal of this side does not know it' : 'an answer to it was lost'
      throw new VerdictRefusedError(
        `the engine may have order ${id}: ${why}. Look it up in the engine by its key ${key}, and say that you did`,
      )
    }
    journal.decideOrder(order, key, verdict)
    logger.warn('order ended by an operator', { orderId: id, idempotencyKey: key, ...verdict })
    this.#queues?.orders.wake()
  }

  #queue(
    what: string,
    concurrency: number,
    table: EngineJournal['orderDeliveries'],
    deliver: (id: string, signal: AbortSignal) => Promise<void>,
  ): DeliveryQueue {
    const { clock, logger, random } = this.#deps
    const retry = this.#options.retry ?? RETRY_POLICY
    return new DeliveryQueue(
      { what, concurrency, retry },
      { table, deliver: (delivery, signal) => deliver(delivery.id, signal), clock, logger, random },
    )
  }

  #account(accountId: string): JournalAccount {
    const account = this.#deps.journal.account(accountId)
    if (account === undefined) throw new Error(`account ${accountId} was never opened with ${this.name}`)
    return account
  }

  #keyOf({ accountId, id }: SettlementOrder): string {
    return deriveKey('rfc38', this.name, accountId, id)
  }

  #store(order: SettlementOrder): void {
    const { journal } = this.#deps
    try {
      if (journal.unfinishedCount() >= UNFINISHED_MAX)
        throw new Error(`${UNFINISHED_MAX} orders are not finished, the engine must take them first`)
      journal.addOrder(order, this.#keyOf(order))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new EngineUnavailableError(`order ${order.id} could not be stored: ${reason}`, { cause: error })
    }
  }

  async #deliverOrder(id: string, signal: AbortSignal): Promise<void> {
    const { journal, host } = this.#deps
    const order = journal.order(id)!
    if (order.state === 'abandoned') {
      await this.#tellHost(host.refused(id, order.problem ?? 'abandoned by an operator'))
      journal.orderRefused(id)
      return
    }
    if (order.state === 'open') {
      this.#sending.add(id)
      try {
        await this.#sendOrder(order, signal)
      } finally {
        this.#sending.delete(id)
      }
    }
    await this.#tellHost(host.settled(id))
    journal.orderSettled(id)
  }

  /** Resolves once the engine has acknowledged the order, and that is stored. */
  async #sendOrder(order: JournalOrder, signal: AbortSignal): Promise<void> {
    const { journal, logger } = this.#deps
    const { id, accountId, quantity, key } = order
    journal.orderSent(id)
    let answer = await this.#foreign.settle(accountId, quantity, key, signal)
    if (answer.kind === 'unknown-account') {
      await this.#foreign.setUp(accountId, signal)
      answer = await this.#foreign.settle(accountId, quantity, key, signal)
    }
    if (answer.kind === 'taken') {
      journal.orderTaken(id)
      if (answer.echo !== undefined && compareQuantities(answer.echo, quantity) !== 0)
        logger.error('the engine acknowledged another quantity than it was sent', {
          orderId: id,
          sent: quantityBody(quantity),
          acknowledged: `${answer.echo.amount} at scale ${answer.echo.scale}`,
        })
      return
    }
    const refused = answer.kind === 'unknown-account' || answer.isClear
    if (refused && !order.doubtful) journal.orderNotDoubtful(id)
    if (answer.kind === 'refused') throw answer.failure
    throw new DeliveryFailure('the engine does not know the account, right after it was set up', {
      alarm: true,
    })
  }

  async #deliverCredit(id: string): Promise<void> {
    const { journal, host } = this.#deps
    const { accountId, assetCode, payable, quantity } = journal.credit(id)!
    await this.#tellHost(
      host.credit({
        id,
        accountId: payable ? accountId : undefined,
        assetCode,
        quantity,
        sender: `account ${accountId} of engine ${this.name}`,
      }),
    )
    journal.creditBooked(id)
  }

  async #deliverAccount(id: string, signal: AbortSignal): Promise<void> {
    const { journal } = this.#deps
    const todo = journal.account(id)?.todo
    if (todo === undefined) return
    if (todo === 'setup') {
      await this.#foreign.setUp(id, signal)
    } else {
      for (const order of journal.unfinished(id))
        throw new DeliveryFailure(`order ${order.id} is not finished: the account is deleted after it`)
      await this.#foreign.remove(id, signal)
    }
    journal.accountTold(id, todo)
  }

  async #setUpNow(accountId: string): Promise<void> {
    try {
      await this.#foreign.setUp(accountId, AbortSignal.timeout(MESSAGE_DEADLINE_MS))
    } catch (error) {
      throw new EngineUnavailableError((error as Error).message, { cause: error })
    }
  }

  async #tellHost(call: Promise<void>): Promise<void> {
    await within(call, HOST_DEADLINE_MS, () => new Error('the node did not answer in time'))
  }
}

function checkSame(known: SettlementOrder, order: SettlementOrder): void {
  if (known.accountId === order.accountId && compareQuantities(known.quantity, order.quantity) === 0) return
  throw new OrderConflictError(`order ${order.id} was given before with another account or amount`)
}

function readOrder(journal: EngineJournal, id: string): JournalOrder | undefined {
  try {
    return journal.order(id)
  } catch (error) {
    throw new EngineUnavailableError(`the journal cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function asConfig<T>(path: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw new EngineConfigError(path, (error as Error).message)
  }
}
