import { request } from 'undici'
import { CliError } from './cli-error.ts'
import { ExitCode } from './exit-code.ts'

/** Longest reply that is read: a history page or list of every peer is far below. */
const REPLY_BYTES_MAX = 64 * 1024 * 1024
/** Longest error text of a node that is repeated. */
const ERROR_LENGTH_MAX = 2_000

/** Entries asked for at once: one request for most nodes. */
const PAGE_ENTRIES = 10_000
/** Entries of a list that are read at all: every route of a full table. */
const ENTRIES_MAX = 2_000_000

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface AdminClientOptions {
  /** E.g. `http://127.0.0.1:8080`. */
  url: string
  /** Makes the bearer token; asked once per request, so that long-running commands outlive a token. */
  token: () => Promise<string>
  /** Deadline of one request, milliseconds. */
  timeoutMs: number
  /** The command to start a node with, for messages. */
  startCommand: string
  /** The option that names another node, for messages. Default: `--url`. */
  otherOption?: string
}

export interface AdminRequest {
  query?: Record<string, string | undefined>
  body?: unknown
  /** Deadline of this request, milliseconds, when the usual one is too short. */
  timeoutMs?: number
  /** Makes the request harmless to repeat, where the node takes such keys. */
  idempotencyKey?: string
}

interface Envelope {
  success?: unknown
  data?: unknown
  pagination?: { total?: unknown }
  error?: { code?: unknown; message?: unknown; details?: unknown }
}

/** Talks to the admin API of one node. Every failure is a {@link CliError} that says what to do. */
export class AdminClient {
  readonly #options: AdminClientOptions

  constructor(options: AdminClientOptions) {
    this.#options = options
  }

  get url(): string {
    return this.#options.url
  }

  async get<T>(path: string, query: Record<string, string | undefined> = {}): Promise<T> {
    return await this.call<T>('GET', path, { query })
  }

  /** Every entry of a list, page by page; `pageEntries` where the node gives fewer at once than 10,000. */
  async list<T>(
    path: string,
    query: Record<string, string | undefined> = {},
    pageEntries: number = PAGE_ENTRIES,
  ): Promise<T[]> {
    const entries: T[] = []
    for (;;) {
      const page = { ...query, limit: String(pageEntries), offset: String(entries.length) }
      const envelope = await this.#request('GET', path, { query: page })
      const data = Array.isArray(envelope.data) ? (envelope.data as T[]) : []
      entries.push(...data)
      const total = Number(envelope.pagination?.total ?? 0)
      if (data.length === 0 || entries.length >= total || entries.length >= ENTRIES_MAX) return entries
    }
  }

  /** One request under `/api/admin`; resolves with `data` of the reply. Never repeats a request. */
  async call<T>(method: Method, path: string, options: AdminRequest = {}): Promise<T> {
    const envelope = await this.#request(method, path, options)
    return envelope.data as T
  }

  async #request(method: Method, path: string, options: AdminRequest): Promise<Envelope> {
    const token = await this.#options.token()
    const headers: Record<string, string> = { authorization: `Bearer ${token}` }
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey
    const { status, text } = await this.#send(method, `/api/admin${path}`, options, headers)
    const envelope = parseEnvelope(text)
    if (status >= 200 && status < 300 && envelope?.success === true) return envelope
    throw refusal(status, envelope, this.#options.url)
  }

  /** A page that needs no token: `/health`, `/metrics`. Resolves whatever the status. */
  async page(path: string): Promise<{ status: number; text: string }> {
    return await this.#send('GET', path, {}, {})
  }

  async #send(method: Method, path: string, options: AdminRequest, headers: Record<string, string>) {
    const url = new URL(path, this.#options.url)
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value)
    }
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs
    try {
      const reply = await request(url, {
        method,
        headers: options.body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        body: options.body === undefined ? null : JSON.stringify(options.body),
        signal: AbortSignal.timeout(timeoutMs),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      })
      return { status: reply.statusCode, text: await readBounded(reply.body) }
    } catch (error) {
      throw unreachable(error, method, timeoutMs, this.#options)
    }
  }
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > REPLY_BYTES_MAX) throw new Error(`the reply is longer than ${REPLY_BYTES_MAX} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parseEnvelope(text: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function refusal(status: number, envelope: Envelope | undefined, url: string): CliError {
  if (envelope?.error === undefined && envelope?.success === undefined) {
    return new CliError(
      ExitCode.unreachable,
      `what answers at ${url} is not the admin API of a node (HTTP ${status}). Check --url, or admin.host and admin.port`,
    )
  }
  const code = typeof envelope.error?.code === 'string' ? envelope.error.code : `HTTP ${status}`
  const message = typeof envelope.error?.message === 'string' ? envelope.error.message : 'no reason given'
  const text = `${message} (${code})${describeDetails(envelope.error?.details)}${advice(status)}`
  const [exitCode, head] = verdict(status, code)
  return new CliError(exitCode, `${head}: ${text.slice(0, ERROR_LENGTH_MAX)}`)
}

function verdict(status: number, code: string): [ExitCode, string] {
  if (code === 'OUTCOME_UNKNOWN') return [ExitCode.unknownOutcome, 'the node does not know the outcome']
  if (status === 500) return [ExitCode.failed, 'the node failed']
  return [ExitCode.refused, 'the node refused']
}

function describeDetails(details: unknown): string {
  if (!Array.isArray(details)) return ''
  return details
    .map(
      (entry: { field?: unknown; message?: unknown }) =>
        `\n  ${String(entry.field ?? '')}: ${String(entry.message ?? '')}`,
    )
    .join('')
}

function advice(status: number): string {
  switch (status) {
    case 401:
      return '\nThe token may have run out, or be signed with the key of another node: check --config, --url and CAUSEWAY_TOKEN'
    case 403:
      return '\nMint a token with the scope: causeway token --scope <scope>'
    default:
      return ''
  }
}

/** Failures before a request can have been sent. After these, nothing has happened at the node. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

function unreachable(
  error: unknown,
  method: Method,
  timeoutMs: number,
  options: AdminClientOptions,
): CliError {
  const { otherOption = '--url', startCommand, url } = options
  const { code, name, message } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') {
    return new CliError(
      ExitCode.unreachable,
      `no node answers at ${url}: the connection was refused. Start it with "${startCommand}", or name another with ${otherOption}`,
    )
  }
  const isTimeout =
    name === 'TimeoutError' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
  const reason = isTimeout ? `no answer within ${timeoutMs / 1000} s` : (code ?? message)
  if (method !== 'GET' && !NOT_SENT.has(code ?? '')) {
    return new CliError(
      ExitCode.unknownOutcome,
      `the node at ${url} was asked, but its answer did not come (${reason}). It may have happened: look before you ask again`,
    )
  }
  return new CliError(
    ExitCode.unreachable,
    `the node at ${url} cannot be reached: ${reason}. Check that it runs ("curl ${url}/health"), --url and the network between`,
  )
}
