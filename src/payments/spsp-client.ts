import ipaddr from 'ipaddr.js'
import { Agent, type Dispatcher, request } from 'undici'
import { z } from 'zod'
import { isAddress } from '../ilp/address.ts'
import { isLoopback } from './payment-pointer.ts'

const TIMEOUT_MS = 10_000
/** Longest reply, bytes. A good one has a few hundred. */
const BODY_LENGTH_MAX = 65_536
const REDIRECTS_MAX = 3
const SECRET_LENGTH = 32

const replySchema = z.object({
  destination_account: z.string().refine(isAddress, 'destination_account is not an ILP address'),
  shared_secret: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'shared_secret is not base64'),
})

/** What an SPSP endpoint answered. */
export interface SpspReply {
  destinationAccount: string
  /** 32 bytes. */
  sharedSecret: Buffer
  /** Where the answer came from, after redirects. */
  url: URL
}

/** An endpoint that cannot be paid to now; the message is for people. */
class SpspError extends Error {
  override readonly name = 'SpspError'
}

/**
 * Asks SPSP endpoints (RFC 9) for an address and a secret. Endpoints are strangers: replies are bounded in time and
 * size and checked, and redirects lead to ordinary https hosts only.
 */
export class SpspClient {
  readonly #ownAgent: Agent | undefined
  readonly #dispatcher: Dispatcher
  readonly #timeoutMs: number
  readonly #closed = new AbortController()

  constructor(options: { timeoutMs?: number } = {}, deps: { dispatcher?: Dispatcher } = {}) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    if (deps.dispatcher === undefined) {
      this.#ownAgent = new Agent({ connections: 4, pipelining: 0 })
      this.#dispatcher = this.#ownAgent
    } else {
      this.#dispatcher = deps.dispatcher
    }
  }

  /** Breaks queries off. A dispatcher that was given stays its giver's. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#ownAgent?.destroy()
  }

  /**
   * @param url from `resolvePaymentPointer`
   * @throws Error whose message tells people why the endpoint cannot be paid to now
   */
  async query(url: URL): Promise<SpspReply> {
    const deadline = AbortSignal.timeout(this.#timeoutMs)
    const signal = AbortSignal.any([deadline, this.#closed.signal])
    let current = url
    try {
      for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
        const answer = await this.#get(current, signal)
        if (typeof answer === 'string') return { ...parseReply(answer), url: current }
        current = redirectTarget(current, answer.location)
      }
    } catch (error) {
      if (error instanceof SpspError) throw error
      if (deadline.aborted) throw new SpspError(`${current.host} did not answer within ${this.#timeoutMs} ms`)
      throw new SpspError(`${current.host} cannot be asked: ${(error as Error).message}`)
    }
    throw new SpspError(`${url.host} redirects more than ${REDIRECTS_MAX} times`)
  }

  async #get(url: URL, signal: AbortSignal): Promise<string | { location: string }> {
    const reply = await request(url.href, {
      dispatcher: this.#dispatcher,
      signal,
      headers: { accept: 'application/spsp4+json, application/spsp+json' },
    })
    // A body that is dropped half-way reports that as an error of its own.
    reply.body.on('error', () => undefined)
    const { location } = reply.headers
    if ([301, 302, 303, 307, 308].includes(reply.statusCode) && typeof location === 'string') {
      reply.body.destroy()
      return { location }
    }
    if (reply.statusCode !== 200) {
      reply.body.destroy()
      throw new SpspError(
        reply.statusCode === 404
          ? `nobody is paid at ${url.href}: check the payment pointer`
          : `${url.host} answered HTTP ${reply.statusCode}`,
      )
    }
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of reply.body as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > BODY_LENGTH_MAX)
        throw new SpspError(`${url.host} answered more than ${BODY_LENGTH_MAX} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  }
}

function redirectTarget(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href))
    throw new SpspError(`${from.host} redirects to something that is not a URL`)
  const target = new URL(location, from.href)
  // The own machine may send us about on itself; a stranger may not send us to it, nor to a bare network address.
  if (isLoopback(from) && isLoopback(target) && target.protocol === from.protocol) return target
  const host = target.hostname.replace(/^\[|\]$/g, '')
  const isOrdinary =
    target.protocol === 'https:' && target.username === '' && !isLoopback(target) && !ipaddr.isValid(host)
  if (!isOrdinary) throw new SpspError(`${from.host} redirects to ${target.origin}, which is not followed`)
  return target
}

function parseReply(text: string): { destinationAccount: string; sharedSecret: Buffer } {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new SpspError('the SPSP reply is not JSON')
  }
  const parsed = replySchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new SpspError(`the SPSP reply is not usable: ${issue?.path.join('.')} ${issue?.message}`)
  }
  const sharedSecret = Buffer.from(parsed.data.shared_secret, 'base64')
  if (sharedSecret.length !== SECRET_LENGTH) {
    throw new SpspError(
      `the SPSP reply is not usable: shared_secret has ${sharedSecret.length} bytes, not 32`,
    )
  }
  return { destinationAccount: parsed.data.destination_account, sharedSecret }
}
