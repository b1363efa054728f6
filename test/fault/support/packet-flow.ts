import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  deserializeIlpPrepare,
  deserializeIlpReply,
  serializeIlpPrepare,
  serializeIlpReply,
} from 'ilp-packet'
import { BtpPeer } from '../../blackbox/btp-peer.ts'

const NO_DATA = Buffer.alloc(0)
/** Amounts start here, so that a spread and a rate leave something to deliver. */
const AMOUNT_FIRST = 1_000_000
/** A payer that was refused waits this long before its next packet. */
const REFUSED_PAUSE_MS = 5

/** One packet as its two ends know it. */
export interface FlowPacket {
  /** In the payer's units; no other packet of the flow has the same. */
  amount: number
  /** In the payee's units, once it has come to the payee. */
  delivered: bigint | undefined
  /** The payee has answered with the right preimage. */
  fulfilled: boolean
  /** The payer holds the preimage, or the code it was told; undefined while it waits. */
  outcome: 'fulfilled' | (string & {}) | undefined
  /** Milliseconds from sending to the answer. */
  tookMs: number | undefined
  /** How often the books have it. */
  booked: number
}

export interface PacketFlowOptions {
  url: string
  payer: { id: string; token: string }
  payee: { id: string; token: string }
  destination: string
  /** Packets kept in flight. */
  window: number
  /** Lifetime of a packet, milliseconds. Default 20,000. */
  expiresInMs?: number
}

/**
 * A payer and a payee, both of npm libraries, around a node: the payer keeps a number of packets in flight, each with
 * a fresh preimage and an amount of its own; both write down what they know.
 */
export class PacketFlow {
  readonly payerId: string
  readonly payeeId: string
  readonly sent = new Map<number, FlowPacket>()
  /** Fulfilled packets in the order in which the payer heard of them, since the last `begin`. */
  heard: FlowPacket[] = []
  readonly #options: PacketFlowOptions
  readonly #payer: BtpPeer
  readonly #payee: BtpPeer
  readonly #preimages = new Map<string, { packet: FlowPacket; preimage: Buffer }>()
  #nextAmount = AMOUNT_FIRST
  #running = false
  #waiting = 0
  #idle: (() => void) | undefined

  constructor(options: PacketFlowOptions) {
    this.#options = options
    this.payerId = options.payer.id
    this.payeeId = options.payee.id
    this.#payer = new BtpPeer({ url: options.url, token: options.payer.token })
    this.#payee = new BtpPeer({ url: options.url, token: options.payee.token })
    this.#payee.behaviour = (prepare) => this.#answer(prepare)
  }

  async connect(): Promise<void> {
    await Promise.all([this.#payee.connect(), this.#payer.connect()])
  }

  /** Keeps the window full from now on. */
  begin(): void {
    this.heard = []
    this.resume()
  }

  /** As `begin`; what was heard before stays. */
  resume(): void {
    this.#running = true
    while (this.#waiting < this.#options.window) void this.sendOne()
  }

  /** Resolves when every packet sent has its answer, or its connection is gone. */
  async settled(): Promise<void> {
    this.#running = false
    if (this.#waiting > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
  }

  /** The node is gone: resolves when all it ever wrote has been read. */
  async disconnected(): Promise<void> {
    this.#running = false
    await Promise.all([this.#payer.closed(), this.#payee.closed()])
    await this.settled()
    this.#preimages.clear()
    this.#payee.received.length = 0
  }

  async close(): Promise<void> {
    this.#running = false
    await Promise.all([this.#payer.close(), this.#payee.close()])
  }

  /** Sends one packet of value and resolves with what became of it. */
  async sendOne(): Promise<FlowPacket> {
    const packet = newPacket(this.#nextAmount++)
    this.sent.set(packet.amount, packet)
    this.#waiting++
    await this.#send(packet)
    if (packet.outcome === 'fulfilled') this.heard.push(packet)
    // Nobody knows what became of the packet when the connection is gone.
    else if (packet.outcome === undefined) this.#running = false
    else await delay(REFUSED_PAUSE_MS)
    this.#waiting--
    if (this.#running) void this.sendOne()
    else if (this.#waiting === 0) this.#idle?.()
    return packet
  }

  /** Sends a packet without value, which no books know. */
  async sendZero(): Promise<FlowPacket> {
    const packet = newPacket(0)
    await this.#send(packet)
    return packet
  }

  async #send(packet: FlowPacket): Promise<void> {
    const { destination, expiresInMs = 20_000 } = this.#options
    const preimage = randomBytes(32)
    const condition = createHash('sha256').update(preimage).digest()
    this.#preimages.set(condition.toString('latin1'), { packet, preimage })
    const prepare = serializeIlpPrepare({
      amount: String(packet.amount),
      executionCondition: condition,
      expiresAt: new Date(Date.now() + expiresInMs),
      destination,
      data: NO_DATA,
    })
    const sentAt = performance.now()
    try {
      const reply = deserializeIlpReply(await this.#payer.send(prepare))
      packet.tookMs = performance.now() - sentAt
      if ('code' in reply) packet.outcome = reply.code
      else packet.outcome = reply.fulfillment.equals(preimage) ? 'fulfilled' : 'wrong preimage'
    } catch {
      packet.outcome = undefined
    }
  }

  #answer(prepare: Buffer): Buffer | undefined {
    const { executionCondition, amount } = deserializeIlpPrepare(prepare)
    const known = this.#preimages.get(executionCondition.toString('latin1'))
    if (known === undefined) return undefined
    known.packet.delivered = BigInt(amount)
    known.packet.fulfilled = true
    return serializeIlpReply({ fulfillment: known.preimage, data: NO_DATA })
  }
}

function newPacket(amount: number): FlowPacket {
  return { amount, delivered: undefined, fulfilled: false, outcome: undefined, tookMs: undefined, booked: 0 }
}
