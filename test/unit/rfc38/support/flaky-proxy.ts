import { request as httpRequest } from 'node:http'
import type { SeededRandom } from '../../../compliance/seeded-random.ts'
import { CUT, type DoubleReply, type DoubleRequest, HttpDouble } from './http-double.ts'

/** What the network may do to a request. */
const FATES = ['pass', 'lose-request', 'lose-reply', 'repeat', 'delay', 'repeat-later', 'garble'] as const
const DELAY_MAX_MS = 30

/**
 * A network that loses requests before and after they are heard, cuts replies, repeats requests at once and later, and
 * holds some back so that others overtake them.
 */
export class FlakyProxy {
  readonly counts: Record<(typeof FATES)[number], number> = {
    pass: 0,
    'lose-request': 0,
    'lose-reply': 0,
    repeat: 0,
    delay: 0,
    'repeat-later': 0,
    garble: 0,
  }
  readonly #double: HttpDouble
  readonly #late = new Set<Promise<unknown>>()

  /** @param spared requests that pass unharmed */
  constructor(
    target: () => string,
    random: SeededRandom,
    spared: (request: DoubleRequest) => boolean = () => false,
  ) {
    this.#double = new HttpDouble(async (request) => {
      const fate = spared(request) ? 'pass' : random.pick(FATES)
      this.counts[fate]++
      const pauseMs = random.below(DELAY_MAX_MS)
      return await this.#undergo(fate, request, target(), pauseMs)
    })
  }

  get url(): string {
    return this.#double.url
  }

  async start(): Promise<void> {
    await this.#double.start()
  }

  async stop(): Promise<void> {
    await this.#double.stop()
    await Promise.allSettled(this.#late)
  }

  /** Everything that was held back has arrived. */
  async quiet(): Promise<void> {
    while (this.#late.size > 0) await Promise.allSettled(this.#late)
  }

  async #undergo(
    fate: (typeof FATES)[number],
    request: DoubleRequest,
    target: string,
    pauseMs: number,
  ): Promise<DoubleReply | typeof CUT> {
    switch (fate) {
      case 'pass':
        return await forward(request, target)
      case 'lose-request':
        return CUT
      case 'lose-reply':
        await forward(request, target)
        return CUT
      case 'repeat': {
        const [, second] = await Promise.all([forward(request, target), forward(request, target)])
        return second
      }
      case 'delay':
        await pause(pauseMs)
        return await forward(request, target)
      case 'repeat-later': {
        const late = pause(pauseMs).then(() => forward(request, target))
        this.#late.add(late)
        late.finally(() => this.#late.delete(late)).catch(() => undefined)
        return await forward(request, target)
      }
      case 'garble':
        await forward(request, target)
        return { status: 502, body: '<html>bad gateway</html>' }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function forward(request: DoubleRequest, target: string): Promise<DoubleReply | typeof CUT> {
  return new Promise((resolve) => {
    const headers = { ...request.headers, connection: 'close' }
    const outgoing = httpRequest(`${target}${request.path}`, { method: request.method, headers })
    outgoing.on('error', () => resolve(CUT))
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => resolve(CUT))
      response.on('end', () => resolve({ status: response.statusCode ?? 500, body: Buffer.concat(chunks) }))
    })
    outgoing.end(request.body)
  })
}
