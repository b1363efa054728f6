import { Pool } from 'undici'

const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 30_000
/** Also the most requests under way at once; more wait inside. */
const CONNECTIONS = 16
/** Requests that may wait for a connection; further ones fail at once. */
const WAITING_MAX = 256
/** How long an idle connection is kept when the other side does not say, milliseconds: less than common servers do. */
const KEEP_ALIVE_MS = 4_000
const PROBE_REPLY_LENGTH_MAX = 65_536
const MS_PER_S = 1_000

export interface Rfc38HttpClientOptions {
  /** Where the paths of RFC 38 begin: `http://127.0.0.1:3000`, with or without a path. */
  readonly url: string
  /** Sent as bearer token. */
  readonly token?: string | undefined
  /** Default 5,000 ms. */
  readonly connectTimeoutMs?: number | undefined
  /** From the request to the last byte of its reply. Default 30,000 ms. */
  readonly requestTimeoutMs?: number | undefined
}

export interface Rfc38Call {
  readonly method: 'POST' | 'DELETE'
  /** Below the URL, with leading slash, escaped. */
  readonly path: string
  readonly body?: string | Buffer
  readonly contentType?: string
  readonly accept?: string
  readonly idempotencyKey?: string
  /** A longer reply is no reply. Bytes. */
  readonly replyLengthMax: number
  readonly signal?: AbortSignal
}

export interface Rfc38Reply {
  readonly status: number
  readonly body: Buffer
  /** What Retry-After asks for, milliseconds. */
  readonly retryAfterMs: number | undefined
}

/** No whole reply came: the request may have been heard or not. */
export class NoReplyError extends Error {
  override readonly name = 'NoReplyError'
}

/** Calls one RFC 38 server over a bounded pool of connections. Follows no redirect, repeats nothing. */
export class Rfc38HttpClient {
  readonly #base: string
  readonly #origin: string
  readonly #authorization: string | undefined
  readonly #connectTimeoutMs: number
  readonly #requestTimeoutMs: number
  #pool: Pool | undefined
  #open = 0

  /** @throws Error when the URL is not a plain http(s) one */
  constructor(options: Rfc38HttpClientOptions) {
    const url = parseUrl(options.url)
    this.#origin = url.origin
    this.#base = url.pathname.replace(/\/+$/, '')
    this.#authorization = options.token === undefined ? undefined : `Bearer ${options.token}`
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    this.#requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
  }

  start(): void {
    this.#pool ??= new Pool(this.#origin, {
      connections: CONNECTIONS,
      pipelining: 1,
      connectTimeout: this.#connectTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: this.#requestTimeoutMs,
      bodyTimeout: this.#requestTimeoutMs,
    })
  }

  /** Ends all connections; calls under way reject. */
  async stop(): Promise<void> {
    const pool = this.#pool
    this.#pool = undefined
    await pool?.destroy()
  }

  /** @throws NoReplyError when no whole reply came in time */
  async call(call: Rfc38Call): Promise<Rfc38Reply> {
    const headers: Record<string, string> = {}
    if (call.contentType !== undefined) headers['content-type'] = call.contentType
    if (call.accept !== undefined) headers.accept = call.accept
    if (call.idempotencyKey !== undefined) headers['idempotency-key'] = call.idempotencyKey
    return await this.#request(call.method, call.path, headers, call)
  }

  /** Resolves at any reply that does not come from a gateway in front of a dead server. */
  async probe(signal: AbortSignal): Promise<void> {
    const reply = await this.#request('GET', '/', {}, { replyLengthMax: PROBE_REPLY_LENGTH_MAX, signal })
    if (reply.status >= 502 && reply.status <= 504)
      throw new NoReplyError(`${this.#origin} answered ${reply.status}`)
  }

  async #request(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    headers: Record<string, string>,
    call: { body?: string | Buffer; replyLengthMax: number; signal?: AbortSignal },
  ): Promise<Rfc38Reply> {
    const pool = this.#pool
    if (pool === undefined) throw new NoReplyError('the connection is stopped')
    if (this.#open >= CONNECTIONS + WAITING_MAX)
      throw new NoReplyError('too many requests wait for an answer already')
    if (this.#authorization !== undefined) headers.authorization = this.#authorization
    const deadline = AbortSignal.timeout(this.#requestTimeoutMs)
    const signal = call.signal === undefined ? deadline : AbortSignal.any([call.signal, deadline])
    this.#open++
    try {
      const response = await pool.request({
        method,
        path: `${this.#base}${path}`,
        headers,
        body: call.body ?? null,
        signal,
      })
      const body = await readReply(response.body, call.replyLengthMax)
      return {
        status: response.statusCode,
        body,
        retryAfterMs: retryAfterMs(response.headers['retry-after']),
      }
    } catch (error) {
      throw new NoReplyError(`no answer from ${this.#origin}: ${reasonOf(error)}`, { cause: error })
    } finally {
      this.#open--
    }
  }
}

async function readReply(stream: AsyncIterable<Buffer>, lengthMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    // Leaving the loop ends the connection.
    if (length > lengthMax) throw new Error(`the answer has more than ${lengthMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** Seconds only: a date would depend on two clocks. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) * MS_PER_S : undefined
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : (message ?? String(error))
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain =
    url !== undefined &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === ''
  if (!plain)
    throw new Error(
      `"${text}" is not the address of an RFC 38 server: write http(s)://<host>[:<port>][/<path>], without credentials, query or fragment`,
    )
  return url
}
