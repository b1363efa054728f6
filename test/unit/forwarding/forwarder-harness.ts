import { createHash, randomBytes } from 'node:crypto'
import { deserializeIlpReply, type IlpReply, serializeIlpPrepare, serializeIlpReply } from 'ilp-packet'
import { Account, type AccountSettings } from '../../../src/forwarding/account.ts'
import { Forwarder } from '../../../src/forwarding/forwarder.ts'
import { NodeAddress } from '../../../src/forwarding/node-address.ts'
import { OwnRequests } from '../../../src/forwarding/own-requests.ts'
import { createNodeStats } from '../../../src/forwarding/stats.ts'
import { ExclusiveLedger } from '../../../src/ledger/exclusive-ledger.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { type Link, type LinkReceiver, SendOutcome } from '../../../src/peers/link.ts'
import { RouteBook } from '../../../src/peers/route-book.ts'
import { FixedRates } from '../../../src/rates/fixed-rates.ts'
import { RouteCache } from '../../../src/routing/route-cache.ts'
import { RouteTable } from '../../../src/routing/route-table.ts'
import { MemoryLedgerStore } from '../../support/memory-ledger-store.ts'

const NOW = Date.UTC(2026, 0, 1)

export const NO_LIMITS: AccountSettings = {
  maxPacketAmount: undefined,
  packetsPerSecond: 1_000_000,
  packetBurst: 1_000_000,
  incomingAmountPerSecond: undefined,
  outgoingAmountPerSecond: undefined,
  packetsInFlightMax: 60_000,
  amountInFlightMax: undefined,
  minMessageWindowMs: 1_000,
  maxHoldTimeMs: 30_000,
  spread: { numerator: 0n, denominator: 1n },
  allowReflection: false,
}

/** A link that records what the node does with it. */
export class RecordingLink implements Link {
  connected = true
  outcome: SendOutcome = SendOutcome.sent
  readonly sent: { token: number; packet: Buffer }[] = []
  readonly replies = new Map<number, Buffer>()
  onSend: ((token: number, packet: Buffer) => void) | undefined

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  sendPrepare(token: number, packet: Buffer, start: number, end: number): SendOutcome {
    if (this.outcome !== SendOutcome.sent) return this.outcome
    const copy = Buffer.from(packet.subarray(start, end))
    this.sent.push({ token, packet: copy })
    this.onSend?.(token, copy)
    return SendOutcome.sent
  }

  sendReply(handle: number, packet: Buffer, start: number, end: number): void {
    if (this.replies.has(handle)) throw new Error(`request ${handle} was answered twice`)
    this.replies.set(handle, Buffer.from(packet.subarray(start, end)))
  }

  status(): { connected: boolean } {
    return { connected: this.connected }
  }
}

export interface Side {
  account: Account
  link: RecordingLink
  ears: LinkReceiver
}

/** A forwarder with a clock that stands still, books in memory and the accounts a test asks for. */
export class Harness {
  nowMs = NOW
  readonly store = new MemoryLedgerStore()
  readonly address = new NodeAddress()
  readonly stats = createNodeStats()
  readonly table = new RouteTable<Account>()
  readonly ledger: ExclusiveLedger
  readonly forwarder: Forwarder
  readonly book: RouteBook
  readonly #handles = new Map<string, number>()

  private constructor(options: { relay: 'after-commit' | 'immediately'; capacity: number }, self: SelfParts) {
    const clock = { now: () => this.nowMs }
    this.ledger = self.ledger(this.store, clock)
    this.book = new RouteBook({ table: this.table, self: self.account })
    this.forwarder = new Forwarder(options, {
      ledger: this.ledger,
      routes: new RouteCache(this.table, 1),
      rates: new FixedRates({ provider: 'fixed', base: 'USD', prices: { XRP: '0.5' } }, { clock }),
      address: this.address,
      stats: this.stats,
      clock,
      logger: silentLogger,
      self: self.account,
    })
    this.address.onChange((address) => this.book.setOwnAddress(address))
    this.address.set('test.node')
  }

  static async create(
    options: { relay?: 'after-commit' | 'immediately'; capacity?: number } = {},
  ): Promise<Harness> {
    const capacity = options.capacity ?? 64
    const harness = new Harness(
      { relay: options.relay ?? 'after-commit', capacity },
      { account: selfAccount(), ledger: (store, clock) => exclusive(store, clock, capacity) },
    )
    await harness.ledger.start()
    return harness
  }

  async side(
    id: string,
    options: { asset?: string; scale?: number; credit?: bigint; settings?: Partial<AccountSettings> } = {},
  ): Promise<Side> {
    const asset = { code: options.asset ?? 'USD', scale: options.scale ?? 6 }
    const ledger = await this.ledger.openAccount({
      id,
      assetCode: asset.code,
      assetScale: asset.scale,
      creditLimit: options.credit ?? 1_000_000n,
      payableLimit: undefined,
    })
    const account = new Account(
      { id, relation: 'child', asset, addressSegment: id, settings: { ...NO_LIMITS, ...options.settings } },
      { ledger, nowMs: this.nowMs },
    )
    const link = new RecordingLink()
    account.link = link
    this.book.addAccount(account)
    const ears = this.forwarder.receiver(account, { connected() {}, disconnected() {}, protocolError() {} })
    return { account, link, ears }
  }

  /** Has `side` send a packet; gives the handle under which its reply will be. */
  send(
    side: Side,
    destination: string,
    amount: bigint | number,
    options: { expiresInMs?: number; fulfillment?: Buffer; data?: Buffer } = {},
  ): number {
    const handle = (this.#handles.get(side.account.id) ?? 0) + 1
    this.#handles.set(side.account.id, handle)
    const packet = serializeIlpPrepare({
      amount: amount.toString(),
      destination,
      executionCondition: createHash('sha256')
        .update(options.fulfillment ?? randomBytes(32))
        .digest(),
      expiresAt: new Date(this.nowMs + (options.expiresInMs ?? 10_000)),
      data: options.data ?? Buffer.alloc(0),
    })
    side.ears.prepare(handle, packet, 0, packet.length)
    return handle
  }

  /** Answers the last packet that `side` got. */
  fulfillLast(side: Side, fulfillment: Buffer): void {
    const packet = serializeIlpReply({ fulfillment, data: Buffer.alloc(0) })
    side.ears.reply(side.link.sent.at(-1)!.token, packet, 0, packet.length)
  }

  reply(side: Side, handle: number): IlpReply | undefined {
    const packet = side.link.replies.get(handle)
    return packet === undefined ? undefined : deserializeIlpReply(packet)
  }

  code(side: Side, handle: number): string | undefined {
    const reply = this.reply(side, handle)
    if (reply === undefined) return undefined
    return 'code' in reply ? reply.code : 'fulfilled'
  }

  /** Moves the clock and fires what is due. */
  advance(ms: number): void {
    this.nowMs += ms
    this.forwarder.advance()
  }

  /** Lets batches that are under way land. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

interface SelfParts {
  account: Account
  ledger: (store: MemoryLedgerStore, clock: { now: () => number }) => ExclusiveLedger
}

function exclusive(store: MemoryLedgerStore, clock: { now: () => number }, slots: number): ExclusiveLedger {
  const onFault = (error: Error) => {
    throw error
  }
  return new ExclusiveLedger({ slots }, { store, clock, logger: silentLogger, onFault })
}

function selfAccount(): Account {
  const ledger = {
    id: 'self',
    assetCode: 'USD',
    assetScale: 0,
    index: -1,
    balance: 0,
    reserved: 0,
    outgoing: 0,
    creditLimit: 0,
  }
  const asset = { code: 'USD', scale: 0 }
  const account = new Account(
    { id: 'self', relation: 'local', asset, addressSegment: undefined, settings: NO_LIMITS },
    { ledger, nowMs: NOW },
  )
  account.link = new OwnRequests()
  return account
}
