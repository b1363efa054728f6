import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  deserializeIlpPrepare,
  deserializeIlpReply,
  serializeIlpPrepare,
  serializeIlpReply,
} from 'ilp-packet'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { waitFor } from '../support/wait-for.ts'
import { Customer } from './customer.ts'
import { MONEY_KINDS, STEP } from './money-kinds.ts'
import type { SoakScene } from './soak-scene.ts'

/** Lifetime of a packet. What was lost on the way is known to be so after it, and no sooner. */
const EXPIRES_IN_MS = 10_000
/** A flow whose node is away or slow does not pile up more. */
const WAITING_MAX = 100
/** Amounts in steps: of packets in the direction that pays more at the moment, and in the other. */
const HEAVY = { min: 1_000, span: 1_000 }
const LIGHT = { min: 1, span: 400 }
/** How long one direction pays more. */
const LEAN_MS = { min: 3_000, span: 9_000 }
const CONNECT_DEADLINE_MS = 30_000
/** A machine that is busy takes its time over what has expired. */
const ANSWER_DEADLINE_MS = 60_000
const NO_DATA = Buffer.alloc(0)

/** One packet as its two ends know it. */
export interface LoadPacket {
  readonly kind: string
  readonly from: string
  readonly to: string
  /** No other packet of its kind of money has the same. */
  readonly amount: bigint
  /** The payee has given the preimage away. */
  isFulfilled: boolean
  /** What the payer was told: `fulfilled`, a code, or `lost` when its connection ended before. */
  outcome: 'fulfilled' | 'lost' | (string & {}) | undefined
}

interface Flow {
  readonly from: Customer
  readonly to: Customer
  readonly random: SeededRandom
  isHeavy: boolean
  waiting: number
}

/** Customers of every node pay those of every other node, in every kind of money. */
export class PacketLoad {
  readonly packets: LoadPacket[] = []
  /** Milliseconds from sending to the fulfillment, by the phase in which it was sent. */
  readonly latencies = new Map<string, number[]>()
  phase = 'start'
  readonly #customers: Customer[]
  readonly #flows: Flow[] = []
  readonly #pauseMs: number
  readonly #preimages = new Map<string, { packet: LoadPacket; preimage: Buffer }>()
  readonly #amounts = new Map<string, Set<bigint>>()
  readonly #random: SeededRandom
  readonly #stopping = new AbortController()
  #running: Promise<unknown> = Promise.resolve()

  /** @param options.perSecond packets of each node in each kind of money */
  constructor(scene: SoakScene, options: { perSecond: number; random: SeededRandom }) {
    const { perSecond, random } = options
    this.#random = random
    this.#pauseMs = (1_000 * (scene.nodes.length - 1)) / perSecond
    this.#customers = Customer.ofAll(scene.nodes, (prepare) => this.#answer(prepare))
    for (const from of this.#customers) {
      for (const to of this.#customers) {
        if (from.kind !== to.kind || from.node === to.node) continue
        const seed = random.below(2 ** 31)
        this.#flows.push({ from, to, random: new SeededRandom(seed), isHeavy: false, waiting: 0 })
      }
    }
  }

  async start(): Promise<void> {
    for (const customer of this.#customers) customer.start()
    const isReady = () => this.#customers.every(({ isConnected }) => isConnected)
    await waitFor('all customers are connected', isReady, CONNECT_DEADLINE_MS)
    this.#running = Promise.all([this.#lean(), ...this.#flows.map((flow) => this.#drive(flow))])
  }

  /** Sends nothing more, and waits for the answers. @returns how many packets got none */
  async stop(): Promise<number> {
    this.#stopping.abort()
    await this.#running
    const waiting = () => this.#flows.reduce((sum, flow) => sum + flow.waiting, 0)
    await waitFor('every packet has its answer', () => waiting() === 0, ANSWER_DEADLINE_MS).catch(() => 0)
    return waiting()
  }

  /** Ends what is left of it. */
  async close(): Promise<void> {
    this.#stopping.abort()
    for (const customer of this.#customers) await customer.stop()
  }

  outcomes(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { outcome = 'none' } of this.packets) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    return counts
  }

  async #drive(flow: Flow): Promise<void> {
    while (await this.#pause(this.#pauseMs * (0.5 + flow.random.next()))) {
      if (flow.from.isConnected && flow.waiting < WAITING_MAX) void this.#send(flow)
    }
  }

  /** Now one direction pays more, now the other: balances must pass their thresholds both ways. */
  async #lean(): Promise<void> {
    const names = [...new Set(this.#customers.map(({ node }) => node.name))]
    do {
      for (const kind of MONEY_KINDS) {
        const isUpwards = this.#random.below(2) === 0
        for (const flow of this.#flows) {
          if (flow.from.kind !== kind) continue
          const goesUp = names.indexOf(flow.from.node.name) < names.indexOf(flow.to.node.name)
          flow.isHeavy = goesUp === isUpwards
        }
      }
    } while (await this.#pause(LEAN_MS.min + this.#random.below(LEAN_MS.span)))
  }

  /** @returns whether it goes on after it */
  async #pause(ms: number): Promise<boolean> {
    return await delay(ms, true, { signal: this.#stopping.signal }).catch(() => false)
  }

  async #send(flow: Flow): Promise<void> {
    const { from, to } = flow
    const kind = from.kind.name
    const amount = this.#freshAmount(flow)
    const preimage = randomBytes(32)
    const executionCondition = createHash('sha256').update(preimage).digest()
    const key = executionCondition.toString('latin1')
    const packet: LoadPacket = {
      kind,
      from: from.node.name,
      to: to.node.name,
      amount,
      isFulfilled: false,
      outcome: undefined,
    }
    this.packets.push(packet)
    this.#preimages.set(key, { packet, preimage })
    flow.waiting++
    const { phase } = this
    const sentAt = performance.now()
    const prepare = serializeIlpPrepare({
      amount: String(amount),
      executionCondition,
      expiresAt: new Date(Date.now() + EXPIRES_IN_MS),
      destination: `test.${to.node.name}.${kind}.end`,
      data: NO_DATA,
    })
    packet.outcome = await outcomeOf(from.send(prepare), preimage)
    flow.waiting--
    // A payee whose payer gave up may still be asked.
    if (packet.outcome !== 'fulfilled') return
    this.#preimages.delete(key)
    const latencies = this.latencies.get(phase) ?? []
    this.latencies.set(phase, latencies)
    latencies.push(performance.now() - sentAt)
  }

  #answer(prepare: Buffer): Buffer | undefined {
    const { executionCondition } = deserializeIlpPrepare(prepare)
    const known = this.#preimages.get(executionCondition.toString('latin1'))
    if (known === undefined) return undefined
    known.packet.isFulfilled = true
    return serializeIlpReply({ fulfillment: known.preimage, data: NO_DATA })
  }

  /** By it a packet is found in the books of every node. */
  #freshAmount({ from, isHeavy, random }: Flow): bigint {
    const used = this.#amounts.get(from.kind.name) ?? new Set()
    this.#amounts.set(from.kind.name, used)
    const { min, span } = isHeavy ? HEAVY : LIGHT
    let amount = BigInt(min + random.below(span)) * STEP + BigInt(random.below(Number(STEP)))
    while (used.has(amount)) amount++
    used.add(amount)
    return amount
  }
}

async function outcomeOf(reply: Promise<Buffer>, preimage: Buffer): Promise<string> {
  try {
    const parsed = deserializeIlpReply(await reply)
    if ('code' in parsed) return parsed.code
    return parsed.fulfillment.equals(preimage) ? 'fulfilled' : 'wrong preimage'
  } catch {
    return 'lost'
  }
}
