import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import {
  type ChannelOperations,
  type ChannelView,
  type EngineAccount,
  EngineConfigError,
  type EngineHost,
  type EngineStatement,
  EngineUnavailableError,
  type IncomingCredit,
  MessageRefusedError,
  OrderConflictError,
  type Quantity,
  type SettlementEngine,
  type SettlementOrder,
} from '../../src/settlement/engine.ts'

/** How the next `settle` is answered; without a script it is taken. */
export type SettleAnswer =
  | 'taken'
  /** Stored, and the answer is lost. */
  | 'taken-unheard'
  /** Not stored, and the caller cannot know. */
  | 'unavailable'
  /** Stored, and never answered. */
  | 'taken-silent'
  | 'conflict'

export interface ScriptedOrder {
  accountId: string
  amount: string
  scale: number
  state: 'open' | 'settled' | 'refused'
  told: boolean
}

interface ScriptedCredit {
  accountId: string | null
  assetCode: string
  amount: string
  scale: number
  sender: string | null
  told: boolean
}

interface Journal {
  orders: Record<string, ScriptedOrder>
  credits: Record<string, ScriptedCredit>
  messages: Record<string, number>
}

export interface ScriptedEngineOptions {
  /** Where it keeps orders and credits. */
  path: string
  name?: string
  scale?: number
}

export interface ScriptedEngineDeps {
  host: EngineHost
  /** Passed before and after everything that a crash could fall between; throws when the process is dead. */
  point?: (name: string) => void
}

/**
 * An engine whose network is the test: it keeps its orders in a file, carries them out when told, and repeats what
 * the node did not hear.
 */
export class ScriptedEngine implements SettlementEngine {
  readonly name: string
  operations: ChannelOperations | undefined = undefined
  readonly #options: Required<ScriptedEngineOptions>
  readonly #host: EngineHost
  readonly #point: (name: string) => void
  readonly #accounts = new Map<string, EngineAccount>()
  #journal: Journal = { orders: {}, credits: {}, messages: {} }
  #running = false
  /** Answers to come, first first. */
  readonly answers: SettleAnswer[] = []
  /** Every call of `settle`, in order. */
  readonly calls: SettlementOrder[] = []
  /** How orders end. */
  outcome: (orderId: string) => 'settled' | 'refused' | 'open' = () => 'settled'
  /** Whether orders end as soon as they are taken. */
  instant = false
  differences: string[] = []
  channelViews: ChannelView[] = []
  unreachable = false

  constructor(options: ScriptedEngineOptions, deps: ScriptedEngineDeps) {
    this.#options = { name: 'scripted', scale: 9, ...options }
    this.name = this.#options.name
    this.#host = deps.host
    this.#point = deps.point ?? (() => undefined)
  }

  async start(): Promise<void> {
    if (existsSync(this.#options.path)) this.#journal = JSON.parse(readFileSync(this.#options.path, 'utf8'))
    this.#running = true
  }

  async stop(): Promise<void> {
    this.#running = false
  }

  async probe(): Promise<void> {
    if (this.unreachable) throw new EngineUnavailableError('the network is away')
  }

  async openAccount(account: EngineAccount): Promise<void> {
    if (account.options.impossible === true) throw new EngineConfigError('impossible', 'this cannot work')
    this.#accounts.set(account.id, account)
  }

  async closeAccount(accountId: string): Promise<void> {
    this.#accounts.delete(accountId)
  }

  scaleOf(accountId: string): number {
    this.#account(accountId)
    return this.#options.scale
  }

  async settle(order: SettlementOrder): Promise<void> {
    this.#point('engine.settle')
    this.calls.push(order)
    const answer = this.answers.shift() ?? 'taken'
    if (answer === 'unavailable' || this.unreachable || !this.#running)
      throw new EngineUnavailableError('away')
    if (answer === 'conflict') throw new OrderConflictError(`order ${order.id} was another`)
    this.#take(order)
    this.#point('engine.settle.stored')
    if (answer === 'taken-unheard') throw new EngineUnavailableError('the answer was lost')
    if (this.instant) await this.carryOut()
    if (answer === 'taken-silent') await new Promise(() => undefined)
  }

  async receive(accountId: string, message: Buffer): Promise<Buffer> {
    this.#account(accountId)
    const text = message.toString('utf8')
    if (!text.startsWith('hello')) throw new MessageRefusedError('bad-message', 'only hello is understood')
    this.#journal.messages[accountId] = (this.#journal.messages[accountId] ?? 0) + 1
    this.#save()
    return Buffer.from(`${text} yourself`)
  }

  async statement(accountId: string): Promise<EngineStatement> {
    const orders = Object.values(this.#journal.orders).filter((order) => order.accountId === accountId)
    const credits = Object.values(this.#journal.credits).filter(
      (credit) => credit.accountId === accountId && credit.told,
    )
    const sum = (entries: readonly { amount: string; scale: number }[]): Quantity => ({
      amount: entries.reduce(
        (total, { amount, scale }) => total + BigInt(amount) * 10n ** BigInt(255 - scale),
        0n,
      ),
      scale: 255,
    })
    return {
      accountId,
      settled: sum(orders.filter(({ state }) => state === 'settled')),
      open: sum(orders.filter(({ state }) => state === 'open')),
      credited: sum(credits),
      differences: this.differences,
    }
  }

  channels(): readonly ChannelView[] {
    return this.channelViews
  }

  /** The network carries out what is open, and the node is told, until it has heard everything. */
  async carryOut(): Promise<void> {
    for (const [id, order] of Object.entries(this.#journal.orders)) {
      const end = this.outcome(id)
      if (order.state !== 'open' || end === 'open') continue
      this.#point('engine.carry-out')
      order.state = end
      this.#save()
      this.#point('engine.carried-out')
    }
    await this.tellAll()
  }

  /** Tells the node what it has not acknowledged; what it does not take now is told again the next time. */
  async tellAll(): Promise<void> {
    for (const [id, order] of Object.entries(this.#journal.orders)) {
      if (order.told || order.state === 'open') continue
      await this.#tell(order, async () => {
        if (order.state === 'settled') await this.#host.settled(id)
        else await this.#host.refused(id, 'the network refused')
      })
    }
    for (const [id, credit] of Object.entries(this.#journal.credits)) {
      if (!credit.told) await this.#tell(credit, () => this.#host.credit(toCredit(id, credit)))
    }
  }

  /** Money comes in. The node hears of it with the next `tellAll`. */
  payIn(credit: IncomingCredit): void {
    const { accountId = null, assetCode, quantity, sender = null } = credit
    this.#journal.credits[credit.id] = {
      accountId,
      assetCode,
      amount: quantity.amount.toString(),
      scale: quantity.scale,
      sender,
      told: false,
    }
    this.#save()
  }

  get orders(): Readonly<Record<string, ScriptedOrder>> {
    return this.#journal.orders
  }

  get allTold(): boolean {
    return [...Object.values(this.#journal.orders), ...Object.values(this.#journal.credits)].every(
      ({ told }) => told,
    )
  }

  async #tell(entry: { told: boolean }, tell: () => Promise<void>): Promise<void> {
    this.#point('engine.tell')
    try {
      await tell()
    } catch {
      return
    }
    this.#point('engine.told')
    entry.told = true
    this.#save()
  }

  #take({ id, accountId, quantity }: SettlementOrder): void {
    this.#account(accountId)
    const known = this.#journal.orders[id]
    if (known === undefined) {
      const { amount, scale } = quantity
      this.#journal.orders[id] = {
        accountId,
        amount: amount.toString(),
        scale,
        state: 'open',
        told: false,
      }
      this.#save()
      return
    }
    const same =
      known.accountId === accountId &&
      known.amount === quantity.amount.toString() &&
      known.scale === quantity.scale
    if (!same) throw new OrderConflictError(`order ${id} was taken with other fields`)
  }

  #account(accountId: string): EngineAccount {
    const account = this.#accounts.get(accountId)
    if (account === undefined) throw new Error(`account ${accountId} is not served`)
    return account
  }

  #save(): void {
    const { path } = this.#options
    writeFileSync(`${path}.new`, JSON.stringify(this.#journal))
    renameSync(`${path}.new`, path)
  }
}

function toCredit(id: string, credit: ScriptedCredit): IncomingCredit {
  return {
    id,
    accountId: credit.accountId ?? undefined,
    assetCode: credit.assetCode,
    quantity: { amount: BigInt(credit.amount), scale: credit.scale },
    sender: credit.sender ?? undefined,
  }
}
