import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isLoopback } from '../../lib/is-loopback.ts'
import type { Logger } from '../../lib/logger.ts'
import { startListening, stopListening } from '../../lib/start-listening.ts'

const HEAD_LENGTH_MAX = 16_384
const HEADERS_MAX = 64
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_TIMEOUT_MS = 20_000
const TIMEOUT_CHECK_MS = 2_000
/** One engine, connector or operator calls; the rest of the file descriptors belongs to peers. */
const CONNECTIONS_MAX = 128
/** Requests being worked on; above it callers are told to come again. */
const WORKING_MAX = 128
/** How long requests may still finish when the server stops, milliseconds. */
const CLOSE_GRACE_MS = 1_000

export interface BoundedListen {
  /** Default 127.0.0.1. Any other than a loopback address needs a token. */
  readonly host?: string | undefined
  /** 0: any free one. */
  readonly port: number
  /** What callers must present as bearer token. */
  readonly token?: string | undefined
}

export interface HttpRequest {
  /** As it came; the handler checks it. */
  readonly idempotencyKey: string | string[] | undefined
  readonly body: Buffer
}

export interface HttpReply {
  readonly status: number
  readonly body?: string | Buffer | undefined
}

/** What answers a request. */
export interface Endpoint {
  readonly handle: (request: HttpRequest) => Promise<HttpReply>
  /** Bodies are `application/octet-stream`; JSON otherwise. */
  readonly binary: boolean
  /** Longest body that is taken, bytes. */
  readonly lengthMax: number
}

export interface BoundedHttpDeps {
  /** @throws HttpRefusal when nothing is there */
  readonly endpoint: (method: string, path: string) => Endpoint
  /** Pages in JSON that anyone may GET: they take no work and tell no secret. Undefined: no such page. */
  readonly page?: (path: string) => HttpReply | undefined
  /** What a refusal or fault is told as; the default is its text alone. */
  readonly describe?: (status: number, detail: string) => { body: string; contentType: string }
  readonly logger: Logger
}

/** A request that is answered with this status and text, and changed nothing. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Plain node:http with bounds on everything, and a bearer token that is checked before a byte of a body is read. */
export class BoundedHttpServer {
  readonly #listen: BoundedListen
  readonly #deps: BoundedHttpDeps
  readonly #tokenDigest: Buffer | undefined
  #server: Server | undefined
  #port = 0
  #working = 0

  /** @throws Error when it would listen to strangers without a token */
  constructor(options: BoundedListen, deps: BoundedHttpDeps) {
    const host = options.host ?? '127.0.0.1'
    if (options.token === undefined && !isLoopback(host))
      throw new Error(`listening on ${host} without a token would let everyone book money: set a token`)
    this.#listen = options
    this.#deps = deps
    this.#tokenDigest = options.token === undefined ? undefined : digest(options.token)
  }

  /** @throws Error when the address cannot be bound */
  async start(): Promise<void> {
    const { host = '127.0.0.1', port } = this.#listen
    const server = createServer({
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: HEAD_LENGTH_MAX,
      noDelay: true,
    })
    server.maxHeadersCount = HEADERS_MAX
    server.maxConnections = CONNECTIONS_MAX
    server.on('request', (request, response) => this.#onRequest(request, response))
    this.#port = await startListening(server, {
      host,
      port,
      explain: (reason) => `cannot listen on ${host} port ${port} (${reason}): choose a free port`,
      onError: (error) => this.#deps.logger.error('listener failed', { reason: error.message }),
    })
    this.#server = server
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server !== undefined) await stopListening(server, CLOSE_GRACE_MS)
  }

  /** Where it listens; undefined while it does not. */
  url(): string | undefined {
    if (this.#server === undefined) return undefined
    const host = this.#listen.host ?? '127.0.0.1'
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.#port}`
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#serve(request, response).catch((error: unknown) => {
      if (error instanceof HttpRefusal) {
        this.#refuse(request, response, error.status, error.message)
        return
      }
      const reason = error instanceof Error ? error.message : String(error)
      this.#deps.logger.error('request failed', { reason })
      this.#refuse(request, response, 500, 'the request could not be worked on: repeat it')
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const page = method === 'GET' || method === 'HEAD' ? this.#deps.page?.(url) : undefined
    if (page !== undefined) {
      send(response, page, false)
      return
    }
    if (!this.#isAllowed(request.headers.authorization))
      throw new HttpRefusal(401, 'a bearer token is missing or wrong')
    const endpoint = this.#deps.endpoint(method, url)
    checkHead(request, endpoint)
    if (this.#working >= WORKING_MAX) throw new HttpRefusal(503, 'too many requests at once: come again')
    this.#working++
    try {
      const body = await readBody(request, endpoint.lengthMax)
      if (body === undefined) return
      const reply = await endpoint.handle({ idempotencyKey: request.headers['idempotency-key'], body })
      send(response, reply, endpoint.binary)
    } finally {
      this.#working--
    }
  }

  #isAllowed(authorization: string | undefined): boolean {
    if (this.#tokenDigest === undefined) return true
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    // Digests of equal length: the time does not tell how much of the token was right.
    return timingSafeEqual(digest(token ?? ''), this.#tokenDigest) && token !== undefined
  }

  /** Answers; the rest of a body that was not read is not waited for. */
  #refuse(request: IncomingMessage, response: ServerResponse, status: number, detail: string): void {
    if (response.headersSent || response.destroyed) return
    const { body, contentType } = (this.#deps.describe ?? asText)(status, detail)
    const headers: Record<string, string> = { 'content-type': contentType }
    if (!request.complete) {
      headers.connection = 'close'
      request.resume()
    }
    if (status === 401) headers['www-authenticate'] = 'Bearer'
    if (status === 503) headers['retry-after'] = '1'
    response.writeHead(status, headers)
    response.end(body)
  }
}

function asText(_: number, detail: string): { body: string; contentType: string } {
  return { body: `${detail}\n`, contentType: 'text/plain; charset=utf-8' }
}

function checkHead(request: IncomingMessage, { binary, lengthMax }: Endpoint): void {
  const expected = binary ? 'application/octet-stream' : 'application/json'
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (request.method === 'POST' && type !== expected)
    throw new HttpRefusal(415, `the body must be ${expected}`)
  if (Number(request.headers['content-length'] ?? 0) > lengthMax)
    throw new HttpRefusal(413, `the body may have ${lengthMax} bytes`)
}

/** The whole body; undefined when the caller went away before. */
async function readBody(request: IncomingMessage, lengthMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  return await new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= lengthMax) chunks.push(chunk)
      else reject(new HttpRefusal(413, `the body may have ${lengthMax} bytes`))
    })
    request.on('end', () => resolve(Buffer.concat(chunks, Math.min(length, lengthMax))))
    request.on('error', () => resolve(undefined))
    request.on('close', () => resolve(undefined))
  })
}

function send(response: ServerResponse, reply: HttpReply, binary: boolean): void {
  if (reply.status === 204 || reply.body === undefined) response.writeHead(reply.status)
  else response.writeHead(reply.status, { 'content-type': `application/${binary ? 'octet-stream' : 'json'}` })
  response.end(reply.body)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
