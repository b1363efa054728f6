import { type CUT, type DoubleReply, type DoubleRequest, HttpDouble } from './http-double.ts'

export interface SeenSettlement {
  account: string
  key: string
  amount: bigint
  scale: number
}

/** A foreign settlement engine, as RFC 38 describes it, that keeps its books in memory. */
export class EngineDouble {
  readonly accounts = new Set<string>()
  /** By Idempotency-Key: each counts once. */
  readonly settlements = new Map<string, SeenSettlement>()
  /** Every request, in order: `POST /accounts/a/settlements key`. */
  readonly log: string[] = []
  readonly messages: Buffer[] = []
  /** Requests that came under a known key with other fields. */
  conflicts = 0
  /** Answers before the books are touched; undefined leaves it to the books. */
  before: (request: DoubleRequest) => DoubleReply | typeof CUT | undefined = () => undefined
  /** Changes the answer after the books were changed. */
  after: (request: DoubleRequest, reply: DoubleReply) => DoubleReply | typeof CUT = (_, reply) => reply
  readonly #double = new HttpDouble((request) => this.#answer(request))

  get url(): string {
    return this.#double.url
  }

  /** Sum of all settlements, in units of 10^-`scale`. */
  total(scale: number): bigint {
    let sum = 0n
    for (const { amount, scale: own } of this.settlements.values()) sum += amount * 10n ** BigInt(scale - own)
    return sum
  }

  async start(port = 0): Promise<void> {
    await this.#double.start(port)
  }

  async stop(): Promise<void> {
    await this.#double.stop()
  }

  #answer(request: DoubleRequest): DoubleReply | typeof CUT {
    const key = String(request.headers['idempotency-key'] ?? '')
    this.log.push(`${request.method} ${request.path} ${key}`.trim())
    const early = this.before(request)
    if (early !== undefined) return early
    return this.after(request, this.#book(request, key))
  }

  #book(request: DoubleRequest, key: string): DoubleReply {
    const [, , account = '', resource] = request.path.split('/')
    if (request.method === 'GET') return { status: 404 }
    if (request.method === 'DELETE') {
      return { status: this.accounts.delete(account) ? 204 : 404 }
    }
    if (account === '') {
      this.accounts.add(JSON.parse(request.body.toString()).id)
      return { status: 201 }
    }
    if (!this.accounts.has(account)) return { status: 404 }
    if (resource === 'messages') {
      this.messages.push(request.body)
      return { status: 201, body: Buffer.concat([Buffer.from('re:'), request.body]) }
    }
    const { amount, scale } = JSON.parse(request.body.toString())
    const seen = { account, key, amount: BigInt(amount), scale }
    const known = this.settlements.get(key)
    if (known === undefined) {
      this.settlements.set(key, seen)
    } else if (known.account !== account || known.amount !== seen.amount || known.scale !== scale) {
      this.conflicts++
      return { status: 400, body: 'Idempotency key was reused with a different amount' }
    }
    return { status: 201, body: JSON.stringify({ amount, scale }) }
  }
}
