import {
  type ChannelView,
  type EngineAccount,
  EngineConfigError,
  type EngineHost,
  type EngineStatement,
  EngineUnavailableError,
  MessageRefusedError,
  OrderConflictError,
  type SettlementEngine,
  type SettlementOrder,
} from '../../../../src/settlement/engine.ts'

/** Where a {@link BookEngine} keeps its orders; kept by the test, it outlives the engine. */
export interface EngineBook {
  orders: Map<string, SettlementOrder>
  refused: Set<string>
}

/** An engine of ours with a network in memory: an order is carried out as soon as it is stored. */
export class BookEngine implements SettlementEngine {
  readonly name = 'book'
  readonly operations = undefined
  readonly accounts = new Map<string, EngineAccount>()
  readonly book: EngineBook
  readonly scale: number
  /** True: the network refuses this order for good. */
  refuses: (order: SettlementOrder) => boolean = () => false
  /** Called before an order is stored, and after; throwing loses the call, or its answer. */
  before: () => void = () => undefined
  after: () => void = () => undefined
  readonly #host: EngineHost

  constructor(host: EngineHost, book: EngineBook, scale: number) {
    this.#host = host
    this.book = book
    this.scale = scale
  }

  /** What was carried out. */
  settled(): bigint {
    let sum = 0n
    for (const { id, quantity } of this.book.orders.values())
      if (!this.book.refused.has(id)) sum += quantity.amount
    return sum
  }

  async start(): Promise<void> {
    for (const order of this.book.orders.values()) await this.#tell(order)
  }
  async stop(): Promise<void> {}
  async probe(): Promise<void> {}

  async openAccount(account: EngineAccount): Promise<void> {
    if (account.id === 'unfit') throw new EngineConfigError('token', 'is not a token')
    this.accounts.set(account.id, account)
  }
  async closeAccount(accountId: string): Promise<void> {
    this.accounts.delete(accountId)
  }
  scaleOf(): number {
    return this.scale
  }

  async settle(order: SettlementOrder): Promise<void> {
    this.before()
    const known = this.book.orders.get(order.id)
    if (known === undefined) {
      this.book.orders.set(order.id, order)
      if (this.refuses(order)) this.book.refused.add(order.id)
    } else if (known.quantity.amount !== order.quantity.amount) {
      throw new OrderConflictError('known with another amount')
    }
    await this.#tell(order)
    this.after()
  }

  async receive(_accountId: string, message: Buffer): Promise<Buffer> {
    if (message.toString() === 'bad') throw new MessageRefusedError('bad-message', 'does not parse')
    if (message.toString() === 'later') throw new EngineUnavailableError('not now')
    return Buffer.concat([Buffer.from('engine:'), message])
  }

  async statement(accountId: string): Promise<EngineStatement> {
    const nothing = { amount: 0n, scale: this.scale }
    return { accountId, settled: nothing, open: nothing, credited: nothing, differences: [] }
  }
  channels(): readonly ChannelView[] {
    return []
  }

  async #tell(order: SettlementOrder): Promise<void> {
    if (this.book.refused.has(order.id)) await this.#host.refused(order.id, 'the network refuses it')
    else await this.#host.settled(order.id)
  }
}
