import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { ClientLimiter } from './client-limiter.ts'
import type { StreamCredentials } from './stream-account.ts'

const CONTENT_TYPE = 'application/spsp4+json'
/** Sockets at once. Requests are tiny and answered at once. */
const CONNECTIONS_MAX = 1_000
const REQUEST_TIMEOUT_MS = 10_000
const KEEP_ALIVE_TIMEOUT_MS = 5_000
/** Queries per client address: a person's wallet asks once per payment. */
const QUERIES_PER_SECOND = 10
const QUERIES_BURST = 100
const WELL_KNOWN_PATH = '/.well-known/pay'

export interface SpspServerOptions {
  host: string
  /** 0: any free port. */
  port: number
  /** How the world reaches the server; requests may carry its path in front. */
  publicUrl?: string | undefined
  /** Take the client's address for the rate limit from X-Forwarded-For. Only behind a proxy that sets it. */
  trustProxy?: boolean
}

/** Whom one can pay. */
export interface SpspReceivers {
  /** The account behind the bare host (`/.well-known/pay`). */
  readonly defaultAccountId: string | undefined
  /** Undefined: no such account. `'not-ready'`: its address is not known yet. */
  spspCredentials(
    accountId: string,
    receipts?: { nonce: Buffer; secret: Buffer },
  ): StreamCredentials | 'not-ready' | undefined
}

interface SpspServerDeps {
  receivers: SpspReceivers
  clock: Clock
  logger: Logger
}

interface Reply {
  status: number
  body?: Record<string, unknown>
  headers?: Record<string, string>
}

/** Answers payment pointers (RFC 9): a fresh address and secret per question. */
export class SpspServer {
  readonly #options: SpspServerOptions
  readonly #receivers: SpspReceivers
  readonly #logger: Logger
  readonly #limiter: ClientLimiter
  readonly #basePath: string
  readonly #server: Server

  constructor(options: SpspServerOptions, deps: SpspServerDeps) {
    this.#options = options
    this.#receivers = deps.receivers
    this.#logger = deps.logger
    this.#limiter = new ClientLimiter(
      { perSecond: QUERIES_PER_SECOND, burst: QUERIES_BURST },
      { clock: deps.clock },
    )
    this.#basePath =
      options.publicUrl === undefined ? '' : new URL(options.publicUrl).pathname.replace(/\/+$/, '')
    this.#server = createServer(
      {
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      },
      (request, response) => this.#onRequest(request, response),
    )
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /** Where it listens, without a slash at the end; undefined before `start` and after `stop`. */
  get url(): string | undefined {
    const address = this.#server.address() as AddressInfo | null
    if (address === null) return undefined
    return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
  }

  /** Rejects with a clear error when it cannot listen. */
  start(): Promise<void> {
    const { host, port } = this.#options
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        reject(new Error(`SPSP cannot listen on ${host}:${port} (${error.code}): choose another spsp.listen`))
      }
      this.#server.once('error', failed)
      this.#server.listen(port, host, () => {
        this.#server.off('error', failed)
        this.#server.on('error', (error) =>
          this.#logger.error('spsp server failed', { error: error.message }),
        )
        resolve()
      })
    })
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    let reply: Reply
    try {
      reply = this.#answer(request)
    } catch (error) {
      this.#logger.error('spsp query failed', { error: (error as Error).message })
      reply = problem(500, 'InternalError', 'Something went wrong here; try again later')
    }
    response.writeHead(reply.status, {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'web-monetization-id, receipt-nonce, receipt-secret',
      'cache-control': 'no-cache, no-store',
      ...(reply.body === undefined ? {} : { 'content-type': CONTENT_TYPE }),
      ...reply.headers,
    })
    response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body))
  }

  #answer(request: IncomingMessage): Reply {
    if (!this.#limiter.take(this.#clientAddress(request))) {
      const reply = problem(429, 'TooManyRequests', 'Too many requests from this address; wait a second')
      return { ...reply, headers: { 'retry-after': '1' } }
    }
    const methods = { 'access-control-allow-methods': 'GET, HEAD, OPTIONS' }
    if (request.method === 'OPTIONS') return { status: 204, headers: methods }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { ...problem(405, 'MethodNotAllowed', 'Use GET'), headers: { allow: 'GET, HEAD, OPTIONS' } }
    }
    const accountId = this.#accountOf(request.url ?? '/')
    if (accountId === undefined) return NO_RECEIVER
    const receipts = receiptsOf(request)
    if (receipts === 'invalid') {
      return problem(
        400,
        'InvalidReceiptError',
        'Receipt-Nonce has 16 bytes and Receipt-Secret 32, in base64',
      )
    }
    const credentials = this.#receivers.spspCredentials(accountId, receipts)
    if (credentials === undefined) return NO_RECEIVER
    if (credentials === 'not-ready') {
      const reply = problem(503, 'ReceiverNotReady', 'The receiver has no ILP address yet; try again soon')
      return { ...reply, headers: { 'retry-after': '5' } }
    }
    return {
      status: 200,
      body: {
        destination_account: credentials.destinationAccount,
        shared_secret: credentials.sharedSecret.toString('base64'),
        receipts_enabled: credentials.receiptsEnabled,
      },
    }
  }

  #accountOf(target: string): string | undefined {
    let path = target.split('?', 1)[0] ?? ''
    if (this.#basePath !== '' && path.startsWith(`${this.#basePath}/`))
      path = path.slice(this.#basePath.length)
    if (path === WELL_KNOWN_PATH) return this.#receivers.defaultAccountId
    return /^\/([A-Za-z0-9_~-]{1,64})$/.exec(path)?.[1]
  }

  #clientAddress(request: IncomingMessage): string {
    const forwarded = this.#options.trustProxy ? request.headers['x-forwarded-for'] : undefined
    const last = forwarded?.toString().split(',').at(-1)?.trim()
    return last || (request.socket.remoteAddress ?? '')
  }
}

const NO_RECEIVER = problem(404, 'InvalidReceiverError', 'Invalid receiver ID')

function problem(status: number, id: string, message: string): Reply {
  return { status, body: { id, message } }
}

/** Receipts of RFC 39: the verifier's nonce and secret come with the query. */
function receiptsOf(request: IncomingMessage): { nonce: Buffer; secret: Buffer } | 'invalid' | undefined {
  const { 'receipt-nonce': nonceText, 'receipt-secret': secretText } = request.headers
  if (nonceText === undefined && secretText === undefined) return undefined
  const nonce = Buffer.from(String(nonceText), 'base64')
  const secret = Buffer.from(String(secretText), 'base64')
  return nonce.length === 16 && secret.length === 32 ? { nonce, secret } : 'invalid'
}
