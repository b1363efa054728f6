import { Agent, request } from 'undici'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { PriceTable } from './price-table.ts'
import { parseRateFeed } from './rate-feed.ts'
import type { RateProvider, RateStatus, Rational } from './rate-provider.ts'

/** Largest reply of the feed, bytes: ten thousand prices take about a fifth of it. */
const BODY_LENGTH_MAX = 1024 * 1024
/** First pause after a failed fetch, milliseconds; doubles with each failure up to the interval. */
const RETRY_FIRST_MS = 1_000
const ERROR_LENGTH_MAX = 300

export interface HttpRatesOptions {
  provider: 'http'
  /** Asset the prices are in; the feed's own `base`, when it names one, must be the same. */
  base: string
  /** http or https; redirects are not followed. */
  url: string
  /** Time between fetches. */
  intervalMs: number
  /** Deadline of one fetch, connection to last byte. */
  timeoutMs: number
  /** Age beyond which prices are not used. */
  maxAgeMs: number
}

interface HttpRatesDeps {
  clock: Clock
  logger: Logger
}

/**
 * Rates from an HTTP feed. A fetch that fails in any way leaves the last good prices in use until they are too old;
 * then `rate` knows nothing but 1 for the same asset. One wrong price refuses the whole reply: a feed that is wrong
 * once is not believed elsewhere.
 */
export class HttpRates implements RateProvider {
  readonly #options: HttpRatesOptions
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #stopped = new AbortController()
  readonly #agent: Agent
  #table: PriceTable
  #updatedAtMs: number | undefined
  #isStale = true
  #version = 1
  #failures = 0
  #lastError: string | undefined
  #timer: NodeJS.Timeout | undefined
  #fetching: Promise<void> | undefined

  /** @throws RangeError when the URL is neither http nor https */
  constructor(options: HttpRatesOptions, deps: HttpRatesDeps) {
    if (!['http:', 'https:'].includes(new URL(options.url).protocol)) {
      throw new RangeError(
        `rates.url must begin with https:// or http://, not ${new URL(options.url).protocol}`,
      )
    }
    this.#options = options
    this.#clock = deps.clock
    this.#logger = deps.logger
    this.#table = new PriceTable(options.base, {})
    this.#agent = new Agent({ connect: { timeout: options.timeoutMs }, connections: 1, pipelining: 0 })
  }

  /** Also notices when the prices have become too old since it was last asked. */
  get version(): number {
    this.#checkAge()
    return this.#version
  }

  /** Waits for the first fetch, well or ill, at most as long as its deadline. Never rejects. */
  async start(): Promise<void> {
    await this.refresh()
    this.#schedule()
  }

  async stop(): Promise<void> {
    if (this.#stopped.signal.aborted) return
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#fetching
    await this.#agent.destroy()
  }

  /** Fetches now; a fetch under way is joined. Never rejects: `status` tells how it went. */
  refresh(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  rate(fromCode: string, toCode: string): Rational | undefined {
    this.#checkAge()
    if (this.#isStale && fromCode !== toCode) return undefined
    return this.#table.rate(fromCode, toCode)
  }

  status(): RateStatus {
    this.#checkAge()
    return {
      source: 'http',
      prices: { ...this.#table.prices },
      baseAsset: this.#table.baseAsset,
      updatedAtMs: this.#updatedAtMs,
      stale: this.#isStale,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    }
  }

  #checkAge(): void {
    if (this.#isStale || this.#updatedAtMs === undefined) return
    const ageMs = this.#clock.now() - this.#updatedAtMs
    if (ageMs <= this.#options.maxAgeMs) return
    this.#isStale = true
    this.#version++
    this.#logger.error('exchange rates are stale, packets between assets are refused', {
      ageMs,
      maxAgeMs: this.#options.maxAgeMs,
      lastError: this.#lastError,
    })
  }

  #schedule(): void {
    if (this.#stopped.signal.aborted) return
    const { intervalMs } = this.#options
    const delayMs = this.#failures === 0 ? intervalMs : RETRY_FIRST_MS * 2 ** Math.min(this.#failures - 1, 20)
    this.#timer = setTimeout(
      () => void this.refresh().then(() => this.#schedule()),
      Math.min(delayMs, intervalMs),
    )
    this.#timer.unref()
  }

  async #fetchOnce(): Promise<void> {
    if (this.#stopped.signal.aborted) return
    const startedAtMs = this.#clock.now()
    try {
      const { baseAsset, prices } = parseRateFeed(await this.#download())
      if (baseAsset !== undefined && baseAsset !== this.#options.base) {
        throw new RangeError(`prices are in ${baseAsset}, expected ${this.#options.base}`)
      }
      this.#table = new PriceTable(this.#options.base, prices)
    } catch (error) {
      if (this.#stopped.signal.aborted) return
      this.#failures++
      this.#lastError = (error as Error).message.slice(0, ERROR_LENGTH_MAX)
      this.#logger.warn('exchange rates could not be fetched, the last good ones stay in use', {
        error: this.#lastError,
        failures: this.#failures,
        updatedAtMs: this.#updatedAtMs,
      })
      return
    }
    if (this.#failures > 0)
      this.#logger.info('exchange rates are fetched again', { failures: this.#failures })
    this.#failures = 0
    this.#lastError = undefined
    // The prices are as old as the question, not as the end of the answer.
    this.#updatedAtMs = startedAtMs
    this.#isStale = false
    this.#version++
  }

  async #download(): Promise<string> {
    const { url, timeoutMs } = this.#options
    const deadline = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([deadline, this.#stopped.signal])
    try {
      const reply = await request(url, {
        dispatcher: this.#agent,
        signal,
        headers: { accept: 'application/json' },
      })
      // A body that is dropped half-way reports that as an error of its own.
      reply.body.on('error', () => undefined)
      const chunks: Buffer[] = []
      let length = 0
      if (reply.statusCode !== 200) {
        reply.body.destroy()
        throw new RangeError(`the feed answered HTTP ${reply.statusCode}, expected 200`)
      }
      for await (const chunk of reply.body as AsyncIterable<Buffer>) {
        length += chunk.length
        if (length > BODY_LENGTH_MAX)
          throw new RangeError(`the reply is longer than ${BODY_LENGTH_MAX} bytes`)
        chunks.push(chunk)
      }
      return Buffer.concat(chunks).toString('utf8')
    } catch (error) {
      if (deadline.aborted) throw new RangeError(`no complete reply within ${timeoutMs} ms`)
      throw error
    }
  }
}
