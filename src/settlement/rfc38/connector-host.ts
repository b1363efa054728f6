import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import {
  type EngineHost,
  type HostOrders,
  type IncomingCredit,
  OrderConflictError,
  PeerMessageError,
  type Quantity,
} from '../engine.ts'
import { compareQuantities } from '../quantity.ts'
import { readRefusalText } from '../refusal-text.ts'
import { DeliveryQueue } from './delivery-queue.ts'
import type { HostJournal } from './host-journal.ts'
import { describeReply, replyFailure } from './reply-failure.ts'
import { RETRY_POLICY, type RetryPolicy, retryDelayMs } from './retry-policy.ts'
import {
  NoReplyError,
  Rfc38HttpClient,
  type Rfc38HttpClientOptions,
  type Rfc38Reply,
} from './rfc38-http-client.ts'
import { MESSAGE_LENGTH_MAX } from './rfc38-http-server.ts'
import { quantityBody, readQuantityBody } from './rfc38-quantity.ts'

const CREDITS_AT_ONCE = 8
const REPLY_LENGTH_MAX = 8_192

export interface ConnectorHostOptions extends Rfc38HttpClientOptions {
  /** Default: 1 s to 1 h. */
  readonly retry?: RetryPolicy | undefined
}

export interface ConnectorHostDeps {
  /** Started and stopped by the server. */
  readonly journal: HostJournal
  readonly clock: Clock
  readonly logger: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * A foreign connector as an engine of ours sees it: credits are stored, and then POSTed under one Idempotency-Key each
 * until the connector acknowledges them (RFC 38, "Accounting System HTTP API").
 */
export class ConnectorHost implements EngineHost {
  readonly #client: Rfc38HttpClient
  readonly #retry: RetryPolicy
  readonly #deps: ConnectorHostDeps
  #credits: DeliveryQueue | undefined

  /** @throws Error when the URL of the connector cannot be one */
  constructor(options: ConnectorHostOptions, deps: ConnectorHostDeps) {
    this.#client = new Rfc38HttpClient(options)
    this.#retry = options.retry ?? RETRY_POLICY
    this.#deps = deps
  }

  /** To be called before the engine starts, with the journal open. */
  start(): void {
    const { journal, clock, logger, random } = this.#deps
    this.#client.start()
    this.#credits = new DeliveryQueue(
      { what: 'credit', concurrency: CREDITS_AT_ONCE, retry: this.#retry },
      {
        table: journal.creditDeliveries,
        deliver: ({ id }, signal) => this.#deliver(id, signal),
        clock,
        logger,
        random,
      },
    )
    this.#credits.start()
  }

  async stop(): Promise<void> {
    await this.#credits?.stop()
    this.#credits = undefined
    await this.#client.stop()
  }

  /** Resolves once it is stored; the connector is told until it acknowledges it. */
  async credit(credit: IncomingCredit): Promise<void> {
    const { journal, logger } = this.#deps
    const outcome = journal.takeCredit(credit)
    if (outcome === 'other')
      throw new OrderConflictError(`credit ${credit.id} was told before with other fields`)
    if (outcome === 'new' && credit.accountId === undefined)
      logger.error('credit of an unknown payer waits to be attributed', {
        id: credit.id,
        amount: quantityBody(credit.quantity),
        sender: credit.sender,
      })
    this.#credits?.wake()
  }

  async settled(orderId: string): Promise<void> {
    this.#deps.journal.orderSettled(orderId)
    this.onOrderEnded()
  }

  /** RFC 38 hides failures from the connector: the amount is kept and tried again later. */
  async refused(orderId: string, reason: string): Promise<void> {
    const { journal, clock, random, logger } = this.#deps
    const retryAtMs = (failures: number) => clock.now() + retryDelayMs(this.#retry, failures, random())
    if (journal.orderRefused(orderId, reason, retryAtMs))
      logger.error('the engine refused an order; its amount is kept and tried again', { orderId, reason })
    this.onOrderEnded()
  }

  /** Set by the server: what is held off may be due. */
  onOrderEnded: () => void = () => undefined

  async send(accountId: string, message: Buffer): Promise<Buffer> {
    let reply: Rfc38Reply
    try {
      reply = await this.#client.call({
        method: 'POST',
        path: `/accounts/${encodeURIComponent(accountId)}/messages`,
        body: message,
        contentType: 'application/octet-stream',
        accept: 'application/octet-stream',
        replyLengthMax: MESSAGE_LENGTH_MAX,
      })
    } catch (error) {
      if (error instanceof NoReplyError) throw new PeerMessageError(error.message)
      throw error
    }
    if (reply.status >= 200 && reply.status <= 299) return reply.body
    const isRefused = reply.status >= 400 && reply.status <= 499
    const code = readRefusalText(reply.body.toString('utf8')) ?? `http-${reply.status}`
    const refusal = isRefused ? code : undefined
    throw new PeerMessageError(`the connector did not deliver the message: ${describeReply(reply)}`, refusal)
  }

  /** The connector tells no sums (RFC 38): the journal kept here is the book. */
  async credited(prefix: string): Promise<Quantity> {
    return this.#deps.journal.creditedSum(prefix)
  }

  async orders(accountId: string): Promise<HostOrders> {
    return this.#deps.journal.orders(accountId)
  }

  /** There is something new to tell the connector. */
  wake(): void {
    this.#credits?.wake()
  }

  async #deliver(id: string, signal: AbortSignal): Promise<void> {
    const { journal, logger } = this.#deps
    const credit = journal.prepareCredit(id)
    const { accountId, key, quantity } = credit
    const reply = await this.#client.call({
      method: 'POST',
      path: `/accounts/${encodeURIComponent(accountId)}/settlements`,
      body: quantityBody(quantity),
      contentType: 'application/json',
      accept: 'application/json',
      idempotencyKey: key,
      replyLengthMax: REPLY_LENGTH_MAX,
      signal,
    })
    const told = readQuantityBody(reply.body)
    // As towards an engine: 200 alone comes from any page on a wrong port.
    if (reply.status !== 201 && !(reply.status === 200 && told !== undefined))
      throw replyFailure('the connector did not credit', reply)
    if (told !== undefined && compareQuantities(told, quantity) > 0)
      logger.error('the connector credited more than it was told', { id, told: quantityBody(quantity) })
    journal.credited(credit, told ?? quantity)
  }
}
