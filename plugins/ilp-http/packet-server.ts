import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Logger } from '../../src/lib/logger.ts'
import { startListening, stopListening } from '../../src/lib/start-listening.ts'
import { LinkConfigError } from '../../src/peers/link.ts'
import type { Authenticated, Authenticator } from './authenticator.ts'
import { TooManyChecksError } from './incoming-credentials.ts'
import type { PluginOptions } from './options.ts'
import { sendProblem } from './problem.ts'
import { SocketGuard } from './socket-guard.ts'

/** No ILP packet is longer than 41,997 bytes; a little room shows that a body of the limit is still only one packet. */
export const BODY_LENGTH_MAX = 42_500
/** Heads above this are refused by the parser: tokens have at most 4,096 characters. Bytes. */
const HEAD_LENGTH_MAX = 16_384
const HEADERS_MAX = 64
/** How often sockets are checked for their timeouts, milliseconds. */
const TIMEOUT_CHECK_MS = 1_000
/** A socket on which nothing moves for longer than any packet lives is dropped, milliseconds. */
const SOCKET_SILENT_MAX_MS = 360_000
/** How long open requests may still finish when the listener closes, milliseconds. */
const CLOSE_GRACE_MS = 500

const TOO_LONG = `no ILP packet has more than ${BODY_LENGTH_MAX} bytes`
const PATH = /^(?:\/accounts\/([A-Za-z0-9_~-]{1,64}))?\/ilp(\/callback)?$/
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i
const CONTENT_TYPE = /^application\/(?:ilp\+)?octet-stream(?:\s*;|\s*$)/i
const ACCEPTABLE = /(?:\*\/\*|application\/\*|application\/(?:ilp\+)?octet-stream)/i

/** An authenticated request with its whole body. */
export interface IncomingPacket {
  response: ServerResponse
  /** What the answer is labelled: the content type of the request. */
  contentType: string
  /** In lower case. */
  requestId: string | undefined
  callbackUrl: string | undefined
  /** POSTed to the callback path: it can only be a reply. */
  isCallback: boolean
  body: Buffer
}

/** A peer as the server sees it. */
export interface ServedPeer extends Authenticated {
  receive(packet: IncomingPacket): void
  /** The peer proved itself, and then sent something that is no packet request. */
  onRefused(detail: string): void
}

/**
 * The listener of all peers: plain node:http, no framework. Every request passes path, method, credentials and headers
 * before a byte of its body is read, so that strangers cost one hash each.
 */
export class PacketServer {
  readonly #options: PluginOptions
  readonly #authenticator: Authenticator<ServedPeer>
  readonly #logger: Logger
  readonly #guard: SocketGuard
  #server: Server | undefined
  #port = 0

  constructor(options: PluginOptions, authenticator: Authenticator<ServedPeer>, logger: Logger) {
    this.#options = options
    this.#logger = logger
    this.#guard = new SocketGuard(options.maxStrangers, options.maxConnectionsPerPeer)
    this.#authenticator = authenticator
  }

  /** @throws Error when the address cannot be bound, LinkConfigError when certificate files cannot be read */
  async start(): Promise<void> {
    const { listen, tls } = this.#options
    if (listen === undefined || this.#server !== undefined) return
    const settings = {
      headersTimeout: this.#options.headersTimeoutMs,
      requestTimeout: this.#options.requestTimeoutMs,
      keepAliveTimeout: this.#options.keepAliveTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: HEAD_LENGTH_MAX,
      noDelay: true,
    }
    const server =
      tls === undefined
        ? createServer(settings)
        : createTlsServer({
            ...settings,
            cert: readPem(tls.certFile, 'tls.certFile'),
            key: readPem(tls.keyFile, 'tls.keyFile'),
            handshakeTimeout: this.#options.headersTimeoutMs,
          })
    server.maxHeadersCount = HEADERS_MAX
    server.maxConnections = this.#options.maxConnections
    server.timeout = SOCKET_SILENT_MAX_MS
    server.on('connection', (socket: Socket) => this.#guard.connected(socket))
    server.on('request', (request, response) => this.#onRequest(request, response))
    this.#port = await startListening(server, {
      ...listen,
      explain: (reason) =>
        `ilp-http cannot listen on ${listen.host} port ${listen.port} (${reason}): choose a free port in plugins.ilp-http.listen`,
      onError: (error) => this.#logger.error('listener failed', { reason: error.message }),
    })
    this.#server = server
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server !== undefined) await stopListening(server, CLOSE_GRACE_MS)
  }

  /** Where peers POST packets; undefined while not listening. */
  url(): string | undefined {
    if (this.#server === undefined) return undefined
    const { host } = this.#options.listen!
    const name = host.includes(':') ? `[${host}]` : host
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${name}:${this.#port}/ilp`
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const match = PATH.exec(request.url!)
    if (match === null) {
      refuse(request, response, 404, 'packets go to /ilp or /accounts/<account>/ilp')
    } else if (request.method === 'POST') {
      this.#authenticate(request, response, match[1], match[2] !== undefined)
    } else if (request.method === 'OPTIONS') {
      response.writeHead(204, { allow: 'POST, OPTIONS' })
      response.end()
    } else {
      refuse(request, response, 405, 'packets are sent with POST')
    }
  }

  #authenticate(
    request: IncomingMessage,
    response: ServerResponse,
    accountId: string | undefined,
    isCallback: boolean,
  ): void {
    const onError = (error: unknown): void => {
      if (error instanceof TooManyChecksError) refuse(request, response, 503, 'too many new tokens at once')
      else refuse(request, response, 500, 'the request could not be checked')
    }
    try {
      const { authorization, 'ilp-peer-name': peerName } = request.headers
      const name = typeof peerName === 'string' ? peerName : undefined
      const peer = this.#authenticator.authenticate(authorization, accountId, name)
      if (peer instanceof Promise)
        peer.then((found) => this.#onPeer(request, response, found, isCallback)).catch(onError)
      else this.#onPeer(request, response, peer, isCallback)
    } catch (error) {
      onError(error)
    }
  }

  #onPeer(
    request: IncomingMessage,
    response: ServerResponse,
    peer: ServedPeer | undefined,
    isCallback: boolean,
  ): void {
    if (peer === undefined) {
      refuse(request, response, 401, 'missing, wrong or expired credentials for this path')
      return
    }
    if (!this.#guard.authenticated(request.socket, peer.credentials.accountId)) {
      sendProblem(response, 503, 'this account has too many connections', true)
      return
    }
    const wrong = wrongHeader(request)
    if (wrong !== undefined) {
      peer.onRefused(wrong.detail)
      refuse(request, response, wrong.status, wrong.detail)
      return
    }
    const { headers } = request
    const contentType = headers['content-type']!.split(';', 1)[0]!.trim()
    const requestId = (headers['request-id'] as string | undefined)?.toLowerCase()
    const callbackUrl = headers['callback-url'] as string | undefined
    readBody(request, (body) => {
      if (body !== undefined && body.length > 0) {
        peer.receive({ response, contentType, requestId, callbackUrl, isCallback, body })
        return
      }
      const detail = body === undefined ? TOO_LONG : 'the body must be an ILP packet'
      peer.onRefused(detail)
      sendProblem(response, body === undefined ? 413 : 400, detail, body === undefined)
    })
  }
}

/** Which header of an authenticated request cannot be served. */
function wrongHeader({ headers }: IncomingMessage): { status: number; detail: string } | undefined {
  if (!CONTENT_TYPE.test(headers['content-type'] ?? ''))
    return { status: 415, detail: 'send packets as application/octet-stream' }
  if (headers.accept !== undefined && !ACCEPTABLE.test(headers.accept))
    return { status: 406, detail: 'replies are application/octet-stream' }
  const requestId = headers['request-id']
  if (requestId !== undefined && (typeof requestId !== 'string' || !UUID_V4.test(requestId)))
    return { status: 400, detail: 'Request-Id must be one version 4 UUID' }
  if (Number(headers['content-length'] ?? 0) > BODY_LENGTH_MAX) return { status: 413, detail: TOO_LONG }
  return undefined
}

/** Refuses before the body was read: a short one is skipped, anything else ends the connection. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, detail: string): void {
  const length = request.headers['content-length']
  const isShort = length !== undefined && Number(length) <= BODY_LENGTH_MAX
  sendProblem(response, status, detail, !isShort)
}

/** Hands over the whole body, or undefined as soon as it is too long; nothing when the peer goes away before. */
function readBody(request: IncomingMessage, done: (body: Buffer | undefined) => void): void {
  let first: Buffer | undefined
  let chunks: Buffer[] | undefined
  let length = 0
  request.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > BODY_LENGTH_MAX) {
      if (length - chunk.length <= BODY_LENGTH_MAX) done(undefined)
      return
    }
    if (first === undefined) first = chunk
    else if (chunks === undefined) chunks = [first, chunk]
    else chunks.push(chunk)
  })
  request.on('end', () => {
    if (length <= BODY_LENGTH_MAX)
      done(chunks === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(chunks, length))
  })
}

function readPem(file: string, path: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new LinkConfigError(path, `cannot be read: ${(error as Error).message}`)
  }
}
