import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type { HealthProber } from '../observability/health-prober.ts'
import type { RequestKeys } from '../store/request-keys.ts'
import { createAdminApp } from './admin-app.ts'
import { openApiDocument } from './openapi.ts'
import { checkKeys } from './operator-token.ts'
import { type RateClass, type RateLimit, RateLimiter } from './rate-limiter.ts'
import type { Route } from './route.ts'
import { checkRoutes, ROUTES } from './route-registry.ts'
import type { NodeServices } from './services.ts'

export interface AdminServerOptions {
  host: string
  /** 0: any free port; see {@link AdminServer.address}. */
  port: number
  /** Keys that operator tokens are checked with, newest first; 1 to 8, at least 32 bytes each. */
  keys: readonly Uint8Array[]
  /** Take the client address for rate limits from X-Forwarded-For. Only behind a proxy that sets it. */
  trustProxy: boolean
  /** For the OpenAPI document. */
  version: string
  /** Other limits than {@link RATE_CLASSES}. */
  rateLimits?: Partial<Record<RateClass, RateLimit>>
}

export interface AdminServerDeps {
  services: NodeServices
  prober: HealthProber
  metrics: AdminServerMetrics
  keys: RequestKeys
  clock: Clock
  logger: Logger
  /** What is served; default: everything in the registry. */
  routes?: readonly Route[]
}

/** What the server reads of and tells to the metrics; `Metrics` fits. */
interface AdminServerMetrics {
  readonly contentType: string
  expose(): Promise<string>
  adminRequest(route: string, status: number): void
  authenticationFailed(): void
  recordError(type: string, severity: 'warning' | 'critical'): void
}

/** Slow senders are cut: a request of this server is small. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/** Longer than the scrape and probe intervals in use, so that they keep their connection. */
const KEEP_ALIVE_TIMEOUT_MS = 20_000
const TIMEOUT_CHECK_INTERVAL_MS = 2_000
/** Operators, probes and scrapers are few; the rest of the file descriptors belongs to peers. */
const CONNECTIONS_MAX = 512
const HEADER_BYTES_MAX = 16_384
const HEADERS_COUNT_MAX = 100
/** Requests that are under way at stop get this long to end. */
const STOP_TIMEOUT_MS = 3_000
const SWEEP_INTERVAL_MS = 20
/** Failed authentications that are logged, over all addresses: many addresses must not fill the log. */
const FAILURES_LOGGED: RateLimit = { limit: 30, windowMs: 60_000 }

/** The operator's server: health, probes, metrics and the admin API. */
export class AdminServer {
  readonly #options: AdminServerOptions
  readonly #logger: Logger
  readonly #server: Server
  #keys: readonly Uint8Array[]
  #stopping: Promise<void> | undefined

  constructor(options: AdminServerOptions, deps: AdminServerDeps) {
    const routes = deps.routes ?? ROUTES
    checkRoutes(routes)
    checkKeys(options.keys)
    const { metrics, clock, logger } = deps
    this.#options = options
    this.#logger = logger
    this.#keys = options.keys
    const logBudget = new RateLimiter({ authentication: FAILURES_LOGGED }, clock)
    let document: unknown
    const app = createAdminApp(routes, {
      services: deps.services,
      page: {
        prober: deps.prober,
        metrics,
        openApi: () => (document ??= openApiDocument(routes, { version: options.version })),
      },
      gate: {
        keys: () => this.#keys,
        limiter: new RateLimiter(options.rateLimits ?? {}, clock),
        trustProxy: options.trustProxy,
        clock,
        onAuthenticationFailure: (address) => {
          metrics.authenticationFailed()
          if (logBudget.take('authentication', 'log').allowed) {
            logger.warn('operator authentication failed', { address })
          }
        },
      },
      keys: deps.keys,
      clock,
      logger,
      onAnswer: (route, status) => metrics.adminRequest(route, status),
      onFault: () => metrics.recordError('api_error', 'critical'),
    })
    const handle = app.callback()
    this.#server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
        maxHeaderSize: HEADER_BYTES_MAX,
      },
      // Koa answers its own failures; nothing is left to reject.
      (request, response) => void handle(request, response),
    )
    this.#server.maxConnections = CONNECTIONS_MAX
    this.#server.maxHeadersCount = HEADERS_COUNT_MAX
  }

  /** Opens the port. Rejects with what to do when it is taken or not allowed. */
  async start(): Promise<void> {
    const { host, port } = this.#options
    await new Promise<void>((resolve, reject) => {
      const refused = (error: NodeJS.ErrnoException) => reject(listenError(error, host, port))
      this.#server.once('error', refused)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', refused)
        this.#server.on('error', (error) => this.#logger.error('operator server failed', { error }))
        resolve()
      })
    })
    this.#logger.info('operator server listens', this.address())
  }

  /** Where it listens. Only between start and stop. */
  address(): { host: string; port: number } {
    const { address, port } = this.#server.address() as AddressInfo
    return { host: address, port }
  }

  /** Other keys count from the next request on; tokens of keys that are gone are refused. */
  setKeys(keys: readonly Uint8Array[]): void {
    checkKeys(keys)
    this.#keys = keys
  }

  /** Takes no more requests and lets those under way end, for a bounded time. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#close()
    return this.#stopping
  }

  async #close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    // Connections that are kept alive fall idle when their last request has ended.
    const sweep = setInterval(() => this.#server.closeIdleConnections(), SWEEP_INTERVAL_MS)
    const force = setTimeout(() => this.#server.closeAllConnections(), STOP_TIMEOUT_MS)
    await closed
    clearInterval(sweep)
    clearTimeout(force)
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `${host}:${port}`
  const advice = 'set admin.port in the configuration or HEALTH_CHECK_PORT to another port'
  switch (error.code) {
    case 'EADDRINUSE':
      return new Error(`the operator server cannot listen on ${where}: the port is taken; ${advice}`)
    case 'EACCES':
      return new Error(
        `the operator server may not listen on ${where}: ports below 1024 need a right; ${advice}`,
      )
    case 'EADDRNOTAVAIL':
      return new Error(
        `the operator server cannot listen on ${where}: this machine does not have that address`,
      )
    default:
      return new Error(`the operator server cannot listen on ${where}: ${error.message}`, { cause: error })
  }
}
