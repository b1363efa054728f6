import { request as httpRequest } from 'node:http'
import type { SeededRandom } from '../../../compliance/seeded-random.ts'
import { type CUT, type DoubleReply, type DoubleRequest, HttpDouble } from './http-double.ts'

/** Requests under way at once. */
const BATCH = 32
/** More are needed only when some request is never acknowledged. */
const ROUNDS_MAX = 10_000

export interface ConnectorRequest {
  account: string
  key: string
  amount: bigint
  scale: number
}

/** A foreign connector: takes credits at a scale of its own, and sends requests the way a bad network would. */
export class ConnectorDouble {
  /** Credited per Idempotency-Key, in units of 10^-`scale`. */
  readonly credits = new Map<string, { account: string; asked: string; credited: bigint }>()
  readonly messages: Buffer[] = []
  readonly scale: number
  /** Known key, other body. */
  conflicts = 0
  before: (
    request: DoubleRequest,
  ) => Promise<DoubleReply | typeof CUT> | DoubleReply | typeof CUT | undefined = () => undefined
  /** Answers with the quantity it credited; without, a connector keeps what is too fine for it. */
  tellsCredited = true
  readonly #double = new HttpDouble((request) => this.before(request) ?? this.#book(request))

  constructor(scale: number) {
    this.scale = scale
  }

  get url(): string {
    return this.#double.url
  }

  total(): bigint {
    let sum = 0n
    for (const { credited } of this.credits.values()) sum += credited
    return sum
  }

  async start(port = 0): Promise<void> {
    await this.#double.start(port)
  }

  async stop(): Promise<void> {
    await this.#double.stop()
  }

  /** Sends every request until each was acknowledged: in any order, some twice, some without waiting for the answer. */
  async settleAll(
    url: string,
    requests: readonly ConnectorRequest[],
    random: SeededRandom,
    token?: string,
  ): Promise<void> {
    const open = [...requests]
    for (let round = 0; open.length > 0; round++) {
      if (round >= ROUNDS_MAX) throw new Error(`${open.length} requests were never acknowledged`)
      const batch = open.splice(0, BATCH).sort(() => random.next() - 0.5)
      const outcomes = await Promise.all(
        batch.map(async (request) => {
          const copies = 1 + random.below(3)
          const statuses = await Promise.all(
            Array.from({ length: copies }, () => post(url, request, random.below(4) === 0, token)),
          )
          return statuses.includes(201) ? undefined : request
        }),
      )
      for (const request of outcomes) if (request !== undefined) open.push(request)
      // Some that are done come again much later.
      if (random.below(4) === 0) await post(url, random.pick(requests), false, token)
    }
  }

  #book(request: DoubleRequest): DoubleReply {
    const [, , account = '', resource] = request.path.split('/')
    if (resource === 'messages') {
      this.messages.push(request.body)
      return { status: 201, body: Buffer.concat([Buffer.from('re:'), request.body]) }
    }
    const asked = request.body.toString()
    const { amount, scale } = JSON.parse(asked)
    const key = String(request.headers['idempotency-key'])
    const known = this.credits.get(key)
    if (known !== undefined && (known.account !== account || known.asked !== asked)) {
      this.conflicts++
      return { status: 409 }
    }
    const exact = BigInt(amount) * 10n ** BigInt(this.scale)
    const credited = known?.credited ?? exact / 10n ** BigInt(scale)
    if (known === undefined) this.credits.set(key, { account, asked, credited })
    const body = this.tellsCredited ? JSON.stringify({ amount: credited.toString(), scale: this.scale }) : ''
    return { status: 201, body }
  }
}

/** The status of the answer; undefined when there was none, or nobody waited for it. */
export async function post(
  url: string,
  { account, key, amount, scale }: ConnectorRequest,
  hangUp: boolean,
  token?: string,
): Promise<number | undefined> {
  return await new Promise((resolve) => {
    const outgoing = httpRequest(`${url}/accounts/${account}/settlements`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': key,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    })
    outgoing.on('error', () => resolve(undefined))
    outgoing.on('response', (response) => {
      response.resume()
      response.on('error', () => resolve(undefined))
      response.on('end', () => resolve(response.statusCode))
    })
    outgoing.end(JSON.stringify({ amount: amount.toString(), scale }), () => {
      if (!hangUp) return
      outgoing.destroy()
      resolve(undefined)
    })
  })
}
