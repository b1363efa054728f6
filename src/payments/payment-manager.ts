import { randomBytes, randomUUID } from 'node:crypto'
import {
  type LocalAccountView,
  type PaymentRequest,
  type PaymentService,
  type PaymentView,
  type PingResult,
  ServiceError,
} from '../admin/services.ts'
import { AMOUNT_MAX, parseAmount } from '../ilp/amount.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type { Asset } from '../rates/rate-provider.ts'
import type { PacketEndpoint } from './packet-endpoint.ts'
import { Payment, type PaymentTarget } from './payment.ts'
import { paymentPointerOf, resolvePaymentPointer } from './payment-pointer.ts'
import { SpspClient } from './spsp-client.ts'
import type { SpspReceivers } from './spsp-server.ts'
import { StreamAccount, type StreamCredentials } from './stream-account.ts'
import { within } from './within.ts'

/** Payments at once: each has one packet under way, and a few timers. */
const PAYMENTS_RUNNING_MAX = 64
/** Payments that can still be asked about after their end; the oldest are forgotten. */
const PAYMENTS_FINISHED_MAX = 1_000
/** Accounts opened at run time. They live until the node stops. */
const OPENED_ACCOUNTS_MAX = 100
/** How often accounts without an address, or below an old one, are looked after. */
const WATCH_INTERVAL_MS = 1_000
/** Time for payments to end when the node stops. */
const STOP_TIMEOUT_MS = 5_000
const DEFAULT_STALL_TIMEOUT_MS = 30_000
const DEFAULT_DEADLINE_MS = 3_600_000
const DEFAULT_SLIPPAGE = 0.01
const DEFAULT_ASSET: Asset = { code: 'USD', scale: 9 }

export interface PaymentManagerOptions {
  /** The local accounts of the configuration. The first one also answers for the bare host of payment pointers. */
  accounts: readonly { id: string; asset: Asset }[]
  /** At least 32 bytes, stable across restarts: addresses given out earlier stay payable. */
  serverSecret: Buffer
  /** A payment without progress for so long is broken off. Default: 30 s. */
  stallTimeoutMs?: number
  /** A payment is broken off after so long in any case. Default: one hour. */
  deadlineMs?: number
  /** Part of the rate found at its start that a payment may lose: 0 up to 1. Default: 0.01. */
  slippage?: number
}

export interface PaymentManagerDeps {
  clock: Clock
  logger: Logger
  /** The endpoint whose other end is the link of the local account. */
  endpointOf(accountId: string): PacketEndpoint
  /** The node's own ILP address, once known. */
  address(): string | undefined
  /** Balance of a local account, smallest units. */
  balance(accountId: string): bigint
  /** Opens a local account at run time: ledger account, link, route. */
  openLocalAccount(name: string, asset: Asset): Promise<PacketEndpoint>
  /** How SPSP is reached, without a slash at the end: the public URL, else where it listens; undefined: not served. */
  spspBaseUrl(): string | undefined
  ping(address: string, timeoutMs: number): Promise<PingResult>
}

/** The local accounts: receives for them over SPSP and STREAM, and pays from them. */
export class PaymentManager implements PaymentService, SpspReceivers {
  readonly #options: PaymentManagerOptions
  readonly #deps: PaymentManagerDeps
  readonly #spsp = new SpspClient()
  readonly #accounts = new Map<string, StreamAccount>()
  /** Names of accounts that are being opened. */
  readonly #opening = new Set<string>()
  readonly #running = new Map<string, { payment: Payment; ended: Promise<void> }>()
  readonly #finished = new Map<string, Payment>()
  #opened = 0
  #watch: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(options: PaymentManagerOptions, deps: PaymentManagerDeps) {
    this.#options = options
    this.#deps = deps
  }

  get defaultAccountId(): string | undefined {
    return this.#options.accounts[0]?.id
  }

  /** Call it when the links of the local accounts have started. */
  async start(): Promise<void> {
    for (const { id, asset } of this.#options.accounts) {
      await this.#addAccount(id, asset, this.#deps.endpointOf(id))
    }
    this.#watch = setInterval(() => void this.#followAddress(), WATCH_INTERVAL_MS)
    this.#watch.unref()
    await this.#followAddress()
  }

  /** Breaks running payments off. Call it while packets still flow, so that their ends become known. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    clearInterval(this.#watch)
    const running = [...this.#running.values()]
    for (const { payment } of running) payment.cancel('the node is stopping')
    const ended = Promise.all(running.map((each) => each.ended))
    await within(ended, STOP_TIMEOUT_MS, 'payments did not end').catch((error: Error) => {
      this.#deps.logger.warn('payments were under way at the stop', { error: error.message })
    })
    await Promise.all([...this.#accounts.values()].map((account) => account.stop()))
    await this.#spsp.close()
  }

  localAccounts(): LocalAccountView[] {
    return [...this.#accounts.values()].map((account) => this.#viewOf(account))
  }

  spspCredentials(
    accountId: string,
    receipts?: { nonce: Buffer; secret: Buffer },
  ): StreamCredentials | 'not-ready' | undefined {
    const account = this.#accounts.get(accountId)
    return account && (account.credentials(receipts) ?? 'not-ready')
  }

  async pay(request: PaymentRequest): Promise<PaymentView> {
    const account = this.#accounts.get(request.fromAccount)
    if (account === undefined) {
      throw new ServiceError('RESOURCE_NOT_FOUND', `there is no local account "${request.fromAccount}"`)
    }
    const amount = checkAmount(request.amount)
    const findTarget = this.#targetFinder(request)
    if (this.#isStopped) throw new ServiceError('SERVICE_UNAVAILABLE', 'the node is stopping')
    if (this.#running.size >= PAYMENTS_RUNNING_MAX) {
      const message = `${PAYMENTS_RUNNING_MAX} payments are running already; wait until one has ended`
      throw new ServiceError('SERVICE_UNAVAILABLE', message)
    }
    if (account.address === undefined) throw noAddress(account.id)

    const payment = new Payment(randomUUID(), request, { clock: this.#deps.clock })
    const ended = payment
      .run(findTarget, (target) => {
        const slot = account.openSender()
        if (slot === undefined) throw noAddress(account.id)
        return {
          slot,
          asset: account.asset,
          amount,
          destinationAccount: target.destinationAccount,
          sharedSecret: target.sharedSecret,
          stallTimeoutMs: this.#options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS,
          deadlineMs: this.#options.deadlineMs ?? DEFAULT_DEADLINE_MS,
          slippage: this.#options.slippage ?? DEFAULT_SLIPPAGE,
        }
      })
      .then(() => this.#finish(payment))
    this.#running.set(payment.id, { payment, ended })
    return payment.view()
  }

  get(id: string): PaymentView | undefined {
    return (this.#running.get(id)?.payment ?? this.#finished.get(id))?.view()
  }

  /** Breaks a running payment off; false when none has that id. Its end shows in `get`. */
  cancel(id: string): boolean {
    const running = this.#running.get(id)
    running?.payment.cancel('cancelled')
    return running !== undefined
  }

  async receive(request: {
    name: string | undefined
    assetCode: string | undefined
    assetScale: number | undefined
  }): Promise<LocalAccountView> {
    const name = request.name ?? `receive-${randomBytes(4).toString('hex')}`
    const base = this.#options.accounts[0]?.asset ?? DEFAULT_ASSET
    const asset = { code: request.assetCode ?? base.code, scale: request.assetScale ?? base.scale }
    checkAccount(name, asset)
    if (this.#accounts.has(name) || this.#opening.has(name)) {
      throw new ServiceError('CONFLICT', `there is already a local account "${name}"; choose another name`)
    }
    if (this.#opened >= OPENED_ACCOUNTS_MAX) {
      const message = `${OPENED_ACCOUNTS_MAX} accounts were opened already; put lasting ones into the configuration`
      throw new ServiceError('SERVICE_UNAVAILABLE', message)
    }
    this.#opened++
    this.#opening.add(name)
    try {
      const account = await this.#addAccount(name, asset, await this.#deps.openLocalAccount(name, asset))
      await account.refresh()
      return this.#viewOf(account)
    } catch (error) {
      this.#opened--
      throw error
    } finally {
      this.#opening.delete(name)
    }
  }

  ping(address: string, timeoutMs: number): Promise<PingResult> {
    return this.#deps.ping(address, timeoutMs)
  }

  async #addAccount(id: string, asset: Asset, endpoint: PacketEndpoint): Promise<StreamAccount> {
    const { serverSecret } = this.#options
    const account = new StreamAccount({ id, asset, serverSecret }, { ...this.#deps, endpoint })
    await account.start()
    this.#accounts.set(id, account)
    return account
  }

  /** Serves accounts at their place below the node's address, once it is known and again when it changes. */
  async #followAddress(): Promise<void> {
    const address = this.#deps.address()
    if (address === undefined || this.#isStopped) return
    const displaced = [...this.#accounts.values()].filter((account) => parentOf(account.address) !== address)
    await Promise.all(displaced.map((account) => account.refresh()))
  }

  /** @throws ServiceError when the destination cannot be one */
  #targetFinder({ fromAccount, destination }: PaymentRequest): () => Promise<PaymentTarget> {
    if (destination === fromAccount) {
      throw invalid('destination', 'an account cannot pay itself; choose another destination')
    }
    const local = this.#accounts.get(destination)
    if (local !== undefined) {
      return async () => {
        const credentials = local.credentials()
        if (credentials === undefined) throw noAddress(local.id)
        return { ...credentials, note: undefined }
      }
    }
    let url: URL
    try {
      url = resolvePaymentPointer(destination)
    } catch (error) {
      throw invalid('destination', `${(error as Error).message}; it is not a local account either`)
    }
    return async () => {
      const reply = await this.#spsp.query(url)
      const note = reply.url.href === url.href ? undefined : `${url.host} redirected to ${reply.url.href}`
      return { destinationAccount: reply.destinationAccount, sharedSecret: reply.sharedSecret, note }
    }
  }

  #finish(payment: Payment): void {
    this.#running.delete(payment.id)
    this.#finished.set(payment.id, payment)
    const { id, fromAccount, amount, sent, delivered, state, message } = payment.view()
    this.#deps.logger.info('payment ended', { id, fromAccount, amount, sent, delivered, state, message })
    if (this.#finished.size <= PAYMENTS_FINISHED_MAX) return
    for (const oldest of this.#finished.keys()) {
      this.#finished.delete(oldest)
      break
    }
  }

  #viewOf(account: StreamAccount): LocalAccountView {
    const base = this.#deps.spspBaseUrl()
    const spspUrl = base === undefined ? undefined : `${base}/${account.id}`
    return {
      id: account.id,
      ilpAddress: account.address,
      spspUrl,
      paymentPointer: spspUrl === undefined ? undefined : paymentPointerOf(new URL(spspUrl)),
      assetCode: account.asset.code,
      assetScale: account.asset.scale,
      balance: this.#deps.balance(account.id).toString(),
    }
  }
}

function parentOf(address: string | undefined): string | undefined {
  return address?.slice(0, address.lastIndexOf('.'))
}

function invalid(field: string, message: string): ServiceError {
  return new ServiceError('VALIDATION_ERROR', message, [{ field, message }])
}

function noAddress(accountId: string): ServiceError {
  const message = `account "${accountId}" has no ILP address yet: the node is waiting for its own`
  return new ServiceError('SERVICE_UNAVAILABLE', message)
}

function checkAmount(text: string): bigint {
  try {
    const amount = BigInt(parseAmount(text, AMOUNT_MAX))
    if (amount > 0n) return amount
  } catch (error) {
    throw invalid('amount', (error as Error).message)
  }
  throw invalid('amount', 'the amount must be above zero')
}

function checkAccount(name: string, asset: Asset): void {
  if (!/^[A-Za-z0-9_~-]{1,64}$/.test(name)) {
    throw invalid('name', 'use 1 to 64 letters, digits, "_", "~" or "-"')
  }
  if (!/^[A-Za-z0-9._-]{1,32}$/.test(asset.code)) {
    throw invalid('assetCode', 'use 1 to 32 letters, digits, ".", "_" or "-"')
  }
  if (!Number.isInteger(asset.scale) || asset.scale < 0 || asset.scale > 255) {
    throw invalid('assetScale', 'use a whole number from 0 to 255')
  }
}
