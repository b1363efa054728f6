import { answerBytesMax } from './answer-bytes-max.ts'
import { ChainError } from './chain-error.ts'
import { hasTooManyParts } from './has-too-many-parts.ts'
import { secretsOf } from './url-secrets.ts'

export interface RpcRequest {
  readonly method: string
  readonly params: readonly unknown[]
}

/** How much of a node's own words goes into messages. */
const QUOTE_LENGTH_MAX = 200
/** "Limit exceeded" of EIP-1474: of requests, or of what one answer may hold. Only words tell which. */
const LIMIT_EXCEEDED = -32005
const RATE_WORDS = /too many requests|\brate\b|capacity|requests? (?:count|limit|per)/i
const SIZE_WORDS = /range|results|response size|narrow/i
/** "Internal error" of JSON-RPC. */
const INTERNAL_ERROR = -32603

/** One JSON-RPC node over HTTP. Its URL may hold an access token: only the host is ever named. */
export class JsonRpcEndpoint {
  readonly name: string
  readonly #url: string
  readonly #authorization: string | undefined
  readonly #deadlineMs: number
  readonly #secrets: readonly string[]
  #nextId = 1

  /** @throws Error, without the URL in it, when it is none */
  constructor(options: { url: string; deadlineMs: number }) {
    const url = URL.parse(options.url)
    if (url === null) throw new Error('an RPC URL is no URL: it must begin with http:// or https://')
    this.name = url.host
    this.#secrets = secretsOf(url)
    if (url.username !== '' || url.password !== '') {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
      this.#authorization = `Basic ${Buffer.from(pair).toString('base64')}`
      url.username = url.password = ''
    }
    this.#url = url.href
    this.#deadlineMs = options.deadlineMs
  }

  /** @throws ChainError always with a code; the result is not checked */
  async request(request: RpcRequest, signal: AbortSignal): Promise<unknown> {
    const id = this.#nextId++
    const answer = await this.#post({ jsonrpc: '2.0', id, ...request }, answerBytesMax([request]), signal)
    return this.#resultOf(answer, id, request.method)
  }

  /**
   * Several questions in one HTTP request, so that behind a load balancer one node answers them all.
   * @throws ChainError when any of them got no result
   */
  async together(requests: readonly RpcRequest[], signal: AbortSignal): Promise<unknown[]> {
    const first = this.#nextId
    this.#nextId += requests.length
    const body = requests.map((request, index) => ({ jsonrpc: '2.0', id: first + index, ...request }))
    const answer = await this.#post(body, answerBytesMax(requests), signal)
    if (!Array.isArray(answer)) {
      // A node that takes no batches answers with one error.
      this.#resultOf(answer, null, 'batch')
      throw this.#bad('batch', 'the answer to a batch is no array')
    }
    const answersById = new Map<unknown, unknown>()
    for (const one of answer) if (isRecord(one)) answersById.set(one.id, one)
    return requests.map(({ method }, index) =>
      this.#resultOf(answersById.get(first + index), first + index, method),
    )
  }

  async #post(body: unknown, bytesMax: number, signal: AbortSignal): Promise<unknown> {
    const deadline = AbortSignal.timeout(this.#deadlineMs)
    let status: number
    let text: Buffer
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
        },
        body: JSON.stringify(body),
        signal: AbortSignal.any([deadline, signal]),
        redirect: 'error',
      })
      status = response.status
      text = await readBounded(response, bytesMax)
    } catch (error) {
      if (error instanceof ChainError) throw error
      if (deadline.aborted) {
        throw new ChainError('timeout', `${this.name} did not answer within ${this.#deadlineMs} ms`)
      }
      if (signal.aborted) throw new ChainError('stopped', `the question to ${this.name} was given up`)
      throw new ChainError('unreachable', `${this.name} cannot be reached: ${this.#quote(causeOf(error))}`)
    }
    if (status === 429) throw new ChainError('rate-limited', `${this.name} says that we ask too often`)
    if (status === 413) throw new ChainError('too-large', `${this.name} says that we ask for too much`)
    if (hasTooManyParts(text)) throw this.#bad('HTTP', 'the answer is a heap of small parts')
    let answer: unknown
    try {
      answer = JSON.parse(text.toString('utf8'))
    } catch {
      throw status === 200
        ? this.#bad('HTTP', 'the answer is no JSON')
        : new ChainError('unreachable', `${this.name} answers with HTTP status ${status}`)
    }
    // Some nodes send a JSON-RPC error with an HTTP error status: what it says is better than the status, unless it
    // says no more than that the node is out of order.
    const error = isRecord(answer) && isRecord(answer.error) ? answer.error : undefined
    const isOutOfOrder = status >= 500 && (error?.code === undefined || error.code === INTERNAL_ERROR)
    if (status !== 200 && (error === undefined || isOutOfOrder)) {
      throw new ChainError('unreachable', `${this.name} answers with HTTP status ${status}`)
    }
    return answer
  }

  #resultOf(answer: unknown, id: number | null, method: string): unknown {
    if (!isRecord(answer)) throw this.#bad(method, 'the answer is no object')
    const { error } = answer
    if (isRecord(error)) {
      const rpcCode = typeof error.code === 'number' ? error.code : undefined
      const said = this.#quote(error.message)
      const isLimit = rpcCode === LIMIT_EXCEEDED || rpcCode === 429
      const isRate = isLimit && RATE_WORDS.test(said) && !SIZE_WORDS.test(said)
      throw new ChainError(isRate ? 'rate-limited' : 'rpc-error', `${this.name} refuses ${method}: ${said}`, {
        ...(rpcCode === undefined ? {} : { rpcCode }),
        data: error.data,
      })
    }
    if (answer.id !== id) throw this.#bad(method, 'the answer is to another question')
    if (!('result' in answer)) throw this.#bad(method, 'the answer has neither result nor error')
    return answer.result
  }

  /** What somebody else said, short, and without what they know of our URL. */
  #quote(value: unknown): string {
    if (typeof value !== 'string') return 'no reason given'
    const said = this.#secrets.reduce((text, secret) => text.replaceAll(secret, '[redacted]'), value)
    return said.slice(0, QUOTE_LENGTH_MAX)
  }

  #bad(method: string, what: string): ChainError {
    return new ChainError('bad-answer', `${this.name}, ${method}: ${what}`)
  }
}

async function readBounded(response: Response, bytesMax: number): Promise<Buffer> {
  if (response.body === null) return Buffer.alloc(0)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > bytesMax) throw new ChainError('too-large', `an answer is larger than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as NodeJS.ErrnoException).code
  return code ?? (cause instanceof Error ? cause.message : String(cause))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
