import { randomUUID } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import { within } from '../../lib/within.ts'
import {
  type EngineAccount,
  EngineConfigError,
  EngineUnavailableError,
  MessageRefusedError,
  OrderConflictError,
  type SettlementEngine,
} from '../engine.ts'
import { addQuantities, compareQuantities, convertQuantity } from '../quantity.ts'
import { writeRefusalText } from '../refusal-text.ts'
import { type BoundedListen, HttpRefusal, type HttpReply } from './bounded-http-server.ts'
import type { ConnectorHost } from './connector-host.ts'
import { DeliveryFailure, DeliveryQueue } from './delivery-queue.ts'
import { EngineHealth } from './engine-health.ts'
import type { HostJournal } from './host-journal.ts'
import { RETRY_POLICY, type RetryPolicy } from './retry-policy.ts'
import { isAccountId, Rfc38HttpServer, type Rfc38Request } from './rfc38-http-server.ts'
import { isIdempotencyKey } from './rfc38-key.ts'
import { parseQuantityBody, quantityBody } from './rfc38-quantity.ts'

const ORDERS_AT_ONCE = 8
const ACCOUNTS_AT_ONCE = 2
/** The engine stores an order, or opens an account: a write of its own, and perhaps a look at its network. */
const ENGINE_DEADLINE_MS = 30_000
/** Largest order that an engine takes, units of its network: no token has more. A larger one would stay for ever. */
const ORDER_MAX = 2n ** 128n - 1n

export interface Rfc38ServerOptions {
  /** Where connectors reach the engine. */
  readonly listen: BoundedListen
  /**
   * What is known of each account beyond its id, which is all that RFC 38 tells.
   * @throws EngineConfigError for one that is not to be served
   */
  readonly accountOf: (id: string) => Omit<EngineAccount, 'id'>
  /** Default: 1 s to 1 h. */
  readonly retry?: RetryPolicy | undefined
}

export interface Rfc38ServerDeps {
  /** Made with `connector` as its host. Started and stopped by the server. */
  readonly engine: SettlementEngine
  /** The foreign connector. Started and stopped by the server. */
  readonly connector: ConnectorHost
  /** Started and stopped by the server. */
  readonly journal: HostJournal
  readonly clock: Clock
  readonly logger: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * Serves an engine of ours to a foreign connector (RFC 38, "Settlement Engine HTTP API"). A request to settle is stored
 * with its key for good, and then answered; what is too fine for the network stays pending until it adds up.
 */
export class Rfc38Server {
  readonly #health: EngineHealth
  readonly #options: Rfc38ServerOptions
  readonly #deps: Rfc38ServerDeps
  readonly #http: Rfc38HttpServer
  #queues: { orders: DeliveryQueue; accounts: DeliveryQueue } | undefined

  /** @throws Error for options that cannot work */
  constructor(options: Rfc38ServerOptions, deps: Rfc38ServerDeps) {
    this.#options = options
    this.#deps = deps
    this.#health = new EngineHealth(deps)
    const routes = {
      createAccount: (request: Rfc38Request) => this.#createAccount(request),
      deleteAccount: (request: Rfc38Request) => this.#deleteAccount(request),
      settlements: (request: Rfc38Request) => this.#settle(request),
      messages: (request: Rfc38Request) => this.#receive(request),
    }
    this.#http = new Rfc38HttpServer(options.listen, {
      routes,
      page: (path) => this.#health.page(path),
      logger: deps.logger,
    })
  }

  /** Where connectors reach it; undefined while stopped. */
  url(): string | undefined {
    return this.#http.url()
  }

  /** Whether the engine reaches its network. */
  get isHealthy(): boolean {
    return this.#health.isHealthy
  }

  /**
   * Gives a suspended credit to an account, as an operator decided; the connector is told from then on.
   * @throws HttpRefusal when there is no such credit or account, or their assets differ
   */
  attribute(creditId: string, accountId: string): void {
    const { journal, connector } = this.#deps
    const assetCode = journal.suspendedAsset(creditId)
    if (assetCode === undefined) throw new HttpRefusal(404, `there is no credit ${creditId} in suspense`)
    if (journal.accountState(accountId) === undefined)
      throw new HttpRefusal(404, `there is no account ${accountId}`)
    const { assetCode: held } = this.#options.accountOf(accountId)
    if (held !== assetCode)
      throw new HttpRefusal(409, `account ${accountId} holds ${held}, the credit is in ${assetCode}`)
    journal.attribute(creditId, accountId)
    connector.wake()
  }

  /** @throws Error when the engine must not run, an account of before is not served any more, or the port is taken */
  async start(): Promise<void> {
    const { journal } = this.#deps
    journal.start()
    try {
      this.#deps.connector.start()
      await this.#deps.engine.start()
      for (const id of journal.openAccounts()) await this.#openInEngine(id)
      this.#startQueues()
      await this.#health.start()
      await this.#http.start()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    const queues = this.#queues
    this.#queues = undefined
    this.#deps.connector.onOrderEnded = () => undefined
    this.#health.stop()
    await this.#http.stop()
    await Promise.all([queues?.orders.stop(), queues?.accounts.stop()])
    await this.#deps.engine.stop()
    await this.#deps.connector.stop()
    this.#deps.journal.stop()
  }

  #startQueues(): void {
    const { journal, clock, logger, random } = this.#deps
    const retry = this.#options.retry ?? RETRY_POLICY
    const orders = new DeliveryQueue(
      { what: 'order', concurrency: ORDERS_AT_ONCE, retry },
      { table: journal.orderDeliveries, deliver: ({ id }) => this.#deliverOrder(id), clock, logger, random },
    )
    const accounts = new DeliveryQueue(
      { what: 'refused settlement', concurrency: ACCOUNTS_AT_ONCE, retry },
      {
        table: journal.accountDeliveries,
        deliver: ({ id }) => this.#retryPending(id),
        clock,
        logger,
        random,
      },
    )
    this.#queues = { orders, accounts }
    this.#deps.connector.onOrderEnded = () => accounts.wake()
    orders.start()
    accounts.start()
  }

  async #openInEngine(id: string): Promise<void> {
    const account = { id, ...this.#options.accountOf(id) }
    const late = () => new HttpRefusal(503, 'the engine did not open the account in time: repeat the request')
    await within(this.#deps.engine.openAccount(account), ENGINE_DEADLINE_MS, late)
  }

  async #deliverOrder(id: string): Promise<void> {
    const { journal } = this.#deps
    const order = journal.order(id)!
    try {
      const late = () => new Error('the engine did not take the order in time')
      await within(this.#deps.engine.settle(order), ENGINE_DEADLINE_MS, late)
    } catch (error) {
      if (!(error instanceof OrderConflictError)) throw error
      throw new DeliveryFailure(`the engine knows this order otherwise: ${error.message}`, { alarm: true })
    }
    journal.orderTaken(id)
  }

  async #retryPending(accountId: string): Promise<void> {
    const { clock, engine, journal } = this.#deps
    const { maxMs } = this.#options.retry ?? RETRY_POLICY
    const next = { orderId: randomUUID(), nextTryMs: clock.now() + maxMs }
    journal.retryPending(accountId, engine.scaleOf(accountId), next)
    this.#queues?.orders.wake()
  }

  /** POST /accounts */
  async #createAccount({ body }: Rfc38Request): Promise<HttpReply> {
    const id = readAccountId(body)
    try {
      await this.#openInEngine(id)
    } catch (error) {
      if (!(error instanceof EngineConfigError)) throw error
      throw new HttpRefusal(400, `account ${id} cannot be served: ${error.path}: ${error.message}`)
    }
    this.#deps.journal.openAccount(id)
    return { status: 201, body: JSON.stringify({ id }) }
  }

  /** DELETE /accounts/:id. What was asked for before is carried out to its end. */
  async #deleteAccount({ accountId }: Rfc38Request): Promise<HttpReply> {
    const { journal } = this.#deps
    const state = journal.accountState(accountId)
    if (state === undefined) throw new HttpRefusal(404, `there is no account ${accountId}`)
    if (state === 'open') {
      await this.#deps.engine.closeAccount(accountId)
      journal.closeAccount(accountId)
    }
    return { status: 204 }
  }

  /** POST /accounts/:id/settlements */
  async #settle({ accountId, idempotencyKey, body }: Rfc38Request): Promise<HttpReply> {
    if (!isIdempotencyKey(idempotencyKey))
      throw new HttpRefusal(400, 'one Idempotency-Key header of 1 to 255 visible characters is needed')
    const { journal, logger } = this.#deps
    const quantity = readQuantity(body)
    const known = journal.request(idempotencyKey)
    if (known === undefined) {
      if (journal.accountState(accountId) !== 'open')
        throw new HttpRefusal(404, `there is no account ${accountId}`)
      const scale = this.#deps.engine.scaleOf(accountId)
      if (convertQuantity(addQuantities(journal.pending(accountId), quantity), scale).amount > ORDER_MAX)
        throw new HttpRefusal(400, `more than ${ORDER_MAX} at scale ${scale} cannot be settled: ask for less`)
      const request = { key: idempotencyKey, accountId, quantity }
      journal.takeRequest(request, scale)
      this.#queues?.orders.wake()
    } else if (known.accountId !== accountId || compareQuantities(known.quantity, quantity) !== 0) {
      logger.error('settlement repeated with other fields', { accountId, idempotencyKey })
      throw new HttpRefusal(409, 'this Idempotency-Key was used for another account or quantity')
    }
    return { status: 201, body: quantityBody(known?.quantity ?? quantity) }
  }

  /** POST /accounts/:id/messages */
  async #receive({ accountId, body }: Rfc38Request): Promise<HttpReply> {
    if (this.#deps.journal.accountState(accountId) !== 'open')
      throw new HttpRefusal(404, `there is no account ${accountId}`)
    const late = () => new HttpRefusal(504, 'the engine did not answer in time')
    try {
      const answer = await within(this.#deps.engine.receive(accountId, body), ENGINE_DEADLINE_MS, late)
      return { status: 201, body: answer }
    } catch (error) {
      if (error instanceof MessageRefusedError) throw new HttpRefusal(400, writeRefusalText(error))
      if (error instanceof EngineUnavailableError) throw new HttpRefusal(503, error.message)
      throw error
    }
  }
}

function readQuantity(body: Buffer): ReturnType<typeof parseQuantityBody> {
  try {
    return parseQuantityBody(body)
  } catch (error) {
    throw new HttpRefusal(400, (error as Error).message)
  }
}

function readAccountId(body: Buffer): string {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch {
    json = undefined
  }
  const id = typeof json === 'object' && json !== null ? (json as { id?: unknown }).id : undefined
  if (!isAccountId(id))
    throw new HttpRefusal(400, 'the body must be {"id": "<1 to 128 characters of A-Z a-z 0-9 - . _ ~>"}')
  return id
}
