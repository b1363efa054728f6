import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, BlockList, isIP } from 'node:net'
import type { Logger } from '../../lib/logger.ts'

/** A Quantity or an account id; the longest amount that is read has 334 digits. */
const JSON_LENGTH_MAX = 1_024
/** More than an ILP packet carries. */
export const MESSAGE_LENGTH_MAX = 65_536
const HEAD_LENGTH_MAX = 16_384
const HEADERS_MAX = 64
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_TIMEOUT_MS = 20_000
const TIMEOUT_CHECK_MS = 2_000
/** One engine or connector calls; the rest of the file descriptors belongs to peers. */
const CONNECTIONS_MAX = 128
/** Requests being worked on; above it callers are told to come again. */
const WORKING_MAX = 128
/** How long requests may still finish when the server stops, milliseconds. */
const CLOSE_GRACE_MS = 1_000

const PATH = /^\/accounts(?:\/([^/?#]{1,400})(?:\/(settlements|messages))?)?$/
/** RFC 38, "Accounts and identifiers": the unreserved characters of RFC 3986. */
const ACCOUNT_ID = /^[A-Za-z0-9._~-]{1,128}$/

export interface Rfc38Listen {
  /** Default 127.0.0.1. Any other than a loopback address needs a token. */
  readonly host?: string | undefined
  /** 0: any free one. */
  readonly port: number
  /** What callers must present as bearer token. */
  readonly token?: string | undefined
}

export interface Rfc38Request {
  readonly accountId: string
  /** As it came; the handler checks it. */
  readonly idempotencyKey: string | string[] | undefined
  readonly body: Buffer
}

export interface Rfc38Response {
  readonly status: number
  readonly body?: string | Buffer
}

/** What is served; an absent one is answered 404. `createAccount` finds the body in `request.body`. */
export interface Rfc38Routes {
  readonly createAccount?: (request: Rfc38Request) => Promise<Rfc38Response>
  readonly deleteAccount?: (request: Rfc38Request) => Promise<Rfc38Response>
  readonly settlements: (request: Rfc38Request) => Promise<Rfc38Response>
  readonly messages: (request: Rfc38Request) => Promise<Rfc38Response>
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

interface Endpoint {
  readonly handle: (request: Rfc38Request) => Promise<Rfc38Response>
  readonly binary: boolean
  readonly lengthMax: number
}

/** True for what RFC 38 takes as identifier of an account. */
export function isAccountId(value: unknown): value is string {
  return typeof value === 'string' && ACCOUNT_ID.test(value)
}

/** Either side's listener of RFC 38: plain node:http, bounded, bearer token checked before a byte of a body is read. */
export class Rfc38HttpServer {
  readonly #listen: Rfc38Listen
  readonly #routes: Rfc38Routes
  readonly #logger: Logger
  readonly #tokenDigest: Buffer | undefined
  #server: Server | undefined
  #port = 0
  #working = 0

  /** @throws Error when it would listen to strangers without a token */
  constructor(listen: Rfc38Listen, deps: { routes: Rfc38Routes; logger: Logger }) {
    const host = listen.host ?? '127.0.0.1'
    if (listen.token === undefined && !isLoopback(host))
      throw new Error(`listening on ${host} without a token would let everyone book money: set a token`)
    this.#listen = listen
    this.#routes = deps.routes
    this.#logger = deps.logger
    this.#tokenDigest = listen.token === undefined ? undefined : digest(listen.token)
  }

  /** @throws Error when the address cannot be bound */
  async start(): Promise<void> {
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
    const host = this.#listen.host ?? '127.0.0.1'
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new Error(
            `cannot listen on ${host} port ${this.#listen.port} (${error.code ?? error.message}): choose a free port`,
          ),
        ),
      )
      server.listen(this.#listen.port, host, resolve)
    })
    server.removeAllListeners('error')
    server.on('error', (error) => this.#logger.error('listener failed', { reason: error.message }))
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
    await closed
    clearTimeout(timer)
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
        refuse(request, response, error.status, error.message)
        return
      }
      this.#logger.error('request failed', { reason: error instanceof Error ? error.message : String(error) })
      refuse(request, response, 500, 'the request could not be worked on: repeat it')
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const match = PATH.exec(request.url ?? '')
    if (match === null) throw new HttpRefusal(404, 'there is nothing at this path')
    if (!this.#isAllowed(request.headers.authorization))
      throw new HttpRefusal(401, 'a bearer token is missing or wrong')
    const accountId = match[1] === undefined ? '' : decode(match[1])
    const endpoint = this.#endpoint(request.method ?? '', match[1] !== undefined, match[2])
    checkHead(request, endpoint)
    if (this.#working >= WORKING_MAX) throw new HttpRefusal(503, 'too many requests at once: come again')
    this.#working++
    try {
      const body = await readBody(request, endpoint.lengthMax)
      if (body === undefined) return
      const idempotencyKey = request.headers['idempotency-key']
      const reply = await endpoint.handle({ accountId, idempotencyKey, body })
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

  #endpoint(method: string, hasAccount: boolean, resource: string | undefined): Endpoint {
    const { createAccount, deleteAccount, settlements, messages } = this.#routes
    const json = { binary: false, lengthMax: JSON_LENGTH_MAX }
    if (resource === undefined) {
      const handle = hasAccount ? deleteAccount : createAccount
      if (handle === undefined) throw new HttpRefusal(404, 'there is nothing at this path')
      const allowed = hasAccount ? 'DELETE' : 'POST'
      if (method !== allowed) throw new HttpRefusal(405, `this path takes ${allowed}`)
      return { ...json, handle }
    }
    if (method !== 'POST') throw new HttpRefusal(405, 'this path takes POST')
    if (resource === 'settlements') return { ...json, handle: settlements }
    return { binary: true, lengthMax: MESSAGE_LENGTH_MAX, handle: messages }
  }
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

function send(response: ServerResponse, reply: Rfc38Response, binary: boolean): void {
  if (reply.status === 204 || reply.body === undefined) response.writeHead(reply.status)
  else response.writeHead(reply.status, { 'content-type': `application/${binary ? 'octet-stream' : 'json'}` })
  response.end(reply.body)
}

/** Answers; the rest of a body that was not read is not waited for. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, detail: string): void {
  if (response.headersSent || response.destroyed) return
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' }
  if (!request.complete) {
    headers.connection = 'close'
    request.resume()
  }
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  if (status === 503) headers['retry-after'] = '1'
  response.writeHead(status, headers)
  response.end(`${detail}\n`)
}

function decode(text: string): string {
  let id: string | undefined
  try {
    id = decodeURIComponent(text)
  } catch {
    id = undefined
  }
  if (!isAccountId(id))
    throw new HttpRefusal(400, 'account ids have 1 to 128 characters of A-Z a-z 0-9 - . _ ~')
  return id
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  const family = isIP(host)
  if (family === 0) return false
  const loopback = new BlockList()
  loopback.addSubnet('127.0.0.0', 8)
  loopback.addAddress('::1', 'ipv6')
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
