import assert from 'node:assert'
import { performance } from 'node:perf_hooks'
import { amount_max, type CreateTransferResult, type CreateTransferStatus } from 'tigerbeetle-node'
import type { Logger } from '../../lib/logger.ts'
import type { BookAccount } from './account-book.ts'
import { PENDING, POST_PENDING, TransferCode, VOID_PENDING } from './codes.ts'
import { chainLegs } from './packet-chains.ts'
import { chainStatus } from './refused-packets.ts'
import { type SharedPackets, SharedState } from './shared-packets.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { TransferBuffer } from './transfer-buffer.ts'
import { COMPENSATION_LEG, legOffset, Phase, packetBaseId } from './transfer-ids.ts'

const PACKET_TRANSFERS_MAX = 2
const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 5_000

export interface SharedWriterOptions {
  /** Lifetime of a pending transfer, seconds: longer than any packet is held. */
  pendingTimeoutSeconds: number
  /** A request without an answer for this long is late, milliseconds. It is still waited for. */
  timeoutMs: number
}

export interface SharedWriterDeps {
  connection: TigerBeetleConnection
  packets: SharedPackets
  logger: Logger
  account(index: number): BookAccount
  /** What the cluster said to the packet's chain; its state is the one it was sent in. Tells the listener. */
  answered(packet: number, status: CreateTransferStatus): void
  /** All answers of a request have been given. */
  finished(tookMs: number): void
  /** No answer in time, or the session was lost. Reservations that wait must be given up. */
  late(reason: string): void
}

/**
 * Gathers what packets ask of the cluster during one turn into one request, one under way at a time; what comes
 * meanwhile gathers for the next. A late request is waited for, a lost one is sent again with the same ids: the
 * outcome of every packet becomes known, or the process ends.
 */
export class SharedWriter {
  /** Part of every id; set before the first packet. */
  epoch = 0
  readonly #options: SharedWriterOptions
  readonly #deps: SharedWriterDeps
  readonly #ring: Uint32Array
  #ringHead = 0
  #ringCount = 0
  readonly #buffer = new TransferBuffer()
  /** Packets of the request under way, and the length of each one's chain. */
  readonly #sent: Uint32Array
  readonly #sentLength: Uint8Array
  #sentCount = 0
  #isSending = false
  #isLate = false
  #isScheduled = false
  #isEnded = false
  #taskRunning = false
  #ranTask = false
  readonly #tasks: (() => Promise<void>)[] = []
  #startedAt = 0
  #retryDelayMs = RETRY_MIN_MS
  #lateTimer: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  readonly #run = (): void => this.#pump()
  readonly #onLate = (): void => this.#setLate(`no answer within ${this.#options.timeoutMs} ms`)
  readonly #onAnswer = (results: CreateTransferResult[]): void => this.#answered(results)
  readonly #onLost = (error: unknown): void => this.#lost(error)

  constructor(options: SharedWriterOptions, deps: SharedWriterDeps) {
    this.#options = options
    this.#deps = deps
    this.#ring = new Uint32Array(deps.packets.capacity)
    this.#sent = new Uint32Array(deps.packets.capacity)
    this.#sentLength = new Uint8Array(deps.packets.capacity)
  }

  /** True while a request has no answer in time. */
  get isLate(): boolean {
    return this.#isLate
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return this.#ringCount === 0 && !this.#isSending && this.#retryTimer === undefined
  }

  /** Asks for what the packet's state says, in the next request. */
  push(packet: number): void {
    assert(this.#ringCount < this.#ring.length, 'a packet waits once')
    this.#ring[(this.#ringHead + this.#ringCount) % this.#ring.length] = packet
    this.#ringCount++
    this.#schedule()
  }

  /** Runs `task` while no request is under way, and holds the next one back. `task` must not reject. */
  whenIdle(task: () => Promise<void>): void {
    this.#tasks.push(task)
    this.#schedule()
  }

  /** Calls `visit` for every packet that waits or is under way. */
  forEach(visit: (packet: number) => void): void {
    for (let at = 0; at < this.#sentCount; at++) visit(this.#sent[at]!)
    for (let at = 0; at < this.#ringCount; at++) visit(this.#ring[(this.#ringHead + at) % this.#ring.length]!)
  }

  end(): void {
    this.#isEnded = true
    clearTimeout(this.#lateTimer)
    clearTimeout(this.#retryTimer)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isSending || this.#taskRunning || this.#retryTimer !== undefined) return
    this.#isScheduled = true
    setImmediate(this.#run)
  }

  #pump(): void {
    this.#isScheduled = false
    if (this.#isEnded || this.#isSending || this.#taskRunning || this.#retryTimer !== undefined) return
    // In turns, so that neither waits for ever.
    const task = this.#ranTask && this.#ringCount > 0 ? undefined : this.#tasks.shift()
    this.#ranTask = task !== undefined
    if (task !== undefined) return this.#runTask(task)
    this.#fill()
    if (this.#sentCount > 0) this.#send()
    else if (this.#tasks.length > 0) this.#schedule()
  }

  #runTask(task: () => Promise<void>): void {
    this.#taskRunning = true
    void task().finally(() => {
      this.#taskRunning = false
      this.#schedule()
    })
  }

  #fill(): void {
    const { packets } = this.#deps
    const roomAt = this.#deps.connection.eventsMax - PACKET_TRANSFERS_MAX
    this.#buffer.clear()
    while (this.#ringCount > 0 && this.#buffer.count <= roomAt) {
      const packet = this.#ring[this.#ringHead]!
      this.#ringHead = (this.#ringHead + 1) % this.#ring.length
      this.#ringCount--
      if (packets.state[packet] === SharedState.reserveQueued && packets.slot[packet]! < 0) {
        packets.free(packet)
        continue
      }
      this.#addChain(packet)
      this.#sent[this.#sentCount] = packet
      this.#sentLength[this.#sentCount] = this.#buffer.endChain()
      this.#sentCount++
    }
  }

  #addChain(packet: number): void {
    const { packets } = this.#deps
    const baseId = packetBaseId(this.epoch, packets.sequence[packet]!)
    const payer = this.#deps.account(packets.payer[packet]!)
    const inAmount = BigInt(packets.inAmount.get(packet))
    if (packets.state[packet] === SharedState.compensateQueued) {
      const id = baseId + legOffset(0, COMPENSATION_LEG, Phase.plain)
      const { loss, ledger } = payer.asset
      this.#buffer.add(id, loss, payer.clearing, inAmount, ledger, TransferCode.compensation)
      packets.state[packet] = SharedState.compensateSent
      return
    }
    const payee = this.#deps.account(packets.payee[packet]!)
    const legs = chainLegs(payer, payee, inAmount, BigInt(packets.outAmount.get(packet)))
    for (let leg = 0; leg < legs.length; leg++) {
      const { debit, credit, ledger, reserve, amount } = legs[leg]!
      const pendingId = baseId + legOffset(0, leg, Phase.pending)
      switch (packets.state[packet]) {
        case SharedState.reserveQueued: {
          const transfer = this.#buffer.add(pendingId, debit, credit, reserve, ledger, TransferCode.packet)
          transfer.flags |= PENDING
          transfer.timeout = this.#options.pendingTimeoutSeconds
          break
        }
        case SharedState.postQueued: {
          // A part is posted only where a packet returns to its payer: the rest is free again.
          const all = amount === reserve ? amount_max : amount
          this.#buffer.add(baseId + legOffset(0, leg, Phase.post), 0n, 0n, all, 0, 0).flags |= POST_PENDING
          break
        }
        default:
          this.#buffer.add(baseId + legOffset(0, leg, Phase.void), 0n, 0n, 0n, 0, 0).flags |= VOID_PENDING
      }
      if (packets.state[packet] !== SharedState.reserveQueued) this.#buffer.last().pending_id = pendingId
    }
    packets.state[packet] = SENT[packets.state[packet]!]!
  }

  #send(): void {
    this.#isSending = true
    this.#startedAt = performance.now()
    this.#lateTimer = setTimeout(this.#onLate, this.#options.timeoutMs)
    this.#deps.connection.submitTransfers(this.#buffer.take()).then(this.#onAnswer, this.#onLost)
  }

  #setLate(reason: string): void {
    this.#isLate = true
    this.#deps.late(reason)
  }

  #answered(results: CreateTransferResult[]): void {
    clearTimeout(this.#lateTimer)
    if (this.#isEnded) return
    this.#isLate = false
    this.#retryDelayMs = RETRY_MIN_MS
    let start = 0
    for (let at = 0; at < this.#sentCount; at++) {
      const length = this.#sentLength[at]!
      this.#deps.answered(this.#sent[at]!, chainStatus(results, start, length))
      start += length
    }
    assert(start === results.length, 'every answer belongs to a chain')
    this.#sentCount = 0
    this.#isSending = false
    this.#deps.finished(performance.now() - this.#startedAt)
    this.#pump()
  }

  /** Nothing is known of this request. Its ids make it harmless to ask again. */
  #lost(error: unknown): void {
    clearTimeout(this.#lateTimer)
    if (this.#isEnded) return
    const { packets, logger } = this.#deps
    const reason = String(error)
    this.#setLate(reason)
    logger.warn('request to the ledger was lost, sending it again', { reason, packets: this.#sentCount })
    const count = this.#sentCount
    this.#sentCount = 0
    this.#isSending = false
    for (let at = 0; at < count; at++) {
      const packet = this.#sent[at]!
      const state = packets.state[packet]!
      // A reservation was given up by now; the dead session cannot bring it about after its void.
      packets.state[packet] = state === SharedState.reserveSent ? SharedState.voidQueued : QUEUED[state]!
      this.push(packet)
    }
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined
      this.#schedule()
    }, this.#retryDelayMs)
    this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, RETRY_MAX_MS)
  }
}

const { reserveQueued, reserveSent, postQueued, postSent, voidQueued, voidSent } = SharedState
const { compensateQueued, compensateSent } = SharedState
const PAIRS = [
  [reserveQueued, reserveSent],
  [postQueued, postSent],
  [voidQueued, voidSent],
  [compensateQueued, compensateSent],
] as const
const SENT: Record<number, SharedState> = Object.fromEntries(PAIRS)
const QUEUED: Record<number, SharedState> = Object.fromEntries(PAIRS.map(([queued, sent]) => [sent, queued]))
