import assert from 'node:assert'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateTransferStatus } from 'tigerbeetle-node'
import { type Amount, add, subtract } from '../../ilp/amount.ts'
import type { Logger } from '../../lib/logger.ts'
import { type PacketListener, ReserveOutcome } from '../ledger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { bookRefusedPackets, isRefusal } from './refused-packets.ts'
import type { SharedAccount } from './shared-account.ts'
import { DETACHED, SharedPackets, SharedState } from './shared-packets.ts'
import { SharedWriter } from './shared-writer.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { packetBaseId } from './transfer-ids.ts'

/** A packet outlives its slot while its pending transfer is voided; so many places there are for each slot. */
const PACKETS_PER_SLOT = 2
const REBOOK_PAUSE_MS = 200
/** A slot without a packet of value: free, or with one that never reaches the cluster. */
const FREE = -1
const ZERO = -2
const ZERO_COMMITTED = -3

const Status = CreateTransferStatus

export interface SharedPacketFlowDeps {
  connection: TigerBeetleConnection
  logger: Logger
  account(index: number): SharedAccount
  listener(): PacketListener
  /** A request was answered. */
  answered(tookMs: number): void
  /** The cluster does not answer. */
  late(reason: string): void
  fault(error: Error): void
}

/** Packets in flight and what becomes of each: reserved, then booked or given back. */
export class SharedPacketFlow {
  readonly writer: SharedWriter
  readonly #deps: SharedPacketFlowDeps
  readonly #packets: SharedPackets
  /** Packet of each slot, or what else is in it. */
  readonly #slots: Int32Array
  #zeroCommitted: number[] = []
  #nextSequence = 0
  /** Packets whose posting failed; booked together at the end of the request. */
  #toRebook: number[] = []
  #rebooking = 0
  #isEnded = false
  readonly #tellZero = (): void => this.#announceZero()

  constructor(
    options: { slots: number; timeoutMs: number; pendingTimeoutSeconds: number },
    deps: SharedPacketFlowDeps,
  ) {
    this.#deps = deps
    this.#packets = new SharedPackets(options.slots * PACKETS_PER_SLOT)
    this.#slots = new Int32Array(options.slots).fill(FREE)
    this.writer = new SharedWriter(options, {
      connection: deps.connection,
      logger: deps.logger,
      packets: this.#packets,
      account: (index) => deps.account(index).book,
      answered: (packet, status) => this.#answered(packet, status),
      finished: (tookMs) => this.#finished(tookMs),
      late: (reason) => this.late(reason),
    })
  }

  /** Nothing waits for the cluster. */
  get isIdle(): boolean {
    return this.writer.isIdle && this.#rebooking === 0 && this.#zeroCommitted.length === 0
  }

  /** A packet without value: never reaches the cluster. */
  reserveZero(slot: number): void {
    assert(this.#slots[slot] === FREE, 'slot is not free')
    this.#slots[slot] = ZERO
  }

  /** False when too many packets wait for the cluster already. */
  reserve(
    slot: number,
    payer: SharedAccount,
    payee: SharedAccount,
    inAmount: Amount,
    outAmount: Amount,
  ): boolean {
    assert(this.#slots[slot] === FREE, 'slot is not free')
    const packets = this.#packets
    const packet = packets.take()
    if (packet === undefined) return false
    packets.state[packet] = SharedState.reserveQueued
    packets.slot[packet] = slot
    packets.sequence[packet] = this.#nextSequence++
    packets.payer[packet] = payer.index
    packets.payee[packet] = payee.index
    packets.inAmount.set(packet, inAmount)
    packets.outAmount.set(packet, outAmount)
    this.#slots[slot] = packet
    payer.reserved = add(payer.reserved, inAmount)
    payee.outgoing = add(payee.outgoing, outAmount)
    this.writer.push(packet)
    return true
  }

  commit(slot: number): void {
    const packet = this.#slots[slot]!
    if (packet === ZERO) {
      this.#slots[slot] = ZERO_COMMITTED
      if (this.#zeroCommitted.push(slot) === 1) setImmediate(this.#tellZero)
      return
    }
    assert(
      packet >= 0 && this.#packets.state[packet] === SharedState.reserved,
      'commit of a packet that is not reserved',
    )
    this.#packets.state[packet] = SharedState.postQueued
    this.writer.push(packet)
  }

  release(slot: number): void {
    const packet = this.#slots[slot]!
    if (packet === ZERO) {
      this.#slots[slot] = FREE
      return
    }
    const state = packet < 0 ? SharedState.free : this.#packets.state[packet]!
    const isOpen = state === SharedState.reserveQueued || state === SharedState.reserveSent
    assert(isOpen || state === SharedState.reserved, 'release of a packet that is not reserved')
    this.#detach(packet)
    this.#giveBack(packet)
    if (state === SharedState.reserved) this.#void(packet)
  }

  abandon(slot: number): void {
    const packet = this.#slots[slot]!
    if (packet === ZERO_COMMITTED) return
    const state = packet < 0 ? SharedState.free : this.#packets.state[packet]!
    const { postQueued, postSent, rebooking } = SharedState
    assert(
      state === postQueued || state === postSent || state === rebooking,
      'abandon of a packet that is not being committed',
    )
    this.#packets.abandoned[packet] = 1
  }

  /** Gives back every reservation that was neither committed nor released. */
  releaseAll(): void {
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const packet = this.#slots[slot]!
      if (packet >= 0 && this.#packets.state[packet]! <= SharedState.reserved) this.release(slot)
    }
  }

  end(): void {
    this.#isEnded = true
    this.writer.end()
  }

  #answered(packet: number, status: CreateTransferStatus): void {
    switch (this.#packets.state[packet]) {
      case SharedState.reserveSent:
        return this.#reserveAnswered(packet, status)
      case SharedState.postSent:
        return this.#postAnswered(packet, status)
      case SharedState.compensateSent:
        return this.#compensateAnswered(packet, status)
      default:
        return this.#voidAnswered(packet, status)
    }
  }

  #reserveAnswered(packet: number, status: CreateTransferStatus): void {
    const packets = this.#packets
    const slot = packets.slot[packet]!
    if (status === Status.created) {
      const payer = this.#deps.account(packets.payer[packet]!)
      payer.pending = add(payer.pending, packets.inAmount.get(packet))
      if (slot === DETACHED) return this.#void(packet)
      packets.state[packet] = SharedState.reserved
      return this.#tellReserved(slot, ReserveOutcome.reserved)
    }
    if (slot !== DETACHED) {
      this.#detach(packet)
      this.#giveBack(packet)
    }
    packets.free(packet)
    const isForWantOfCredit = isRefusal(status)
    if (!isForWantOfCredit) this.#contradicted('a reservation', status)
    if (slot === DETACHED) return
    this.#tellReserved(slot, isForWantOfCredit ? ReserveOutcome.creditExceeded : ReserveOutcome.unavailable)
  }

  /** What cannot be posted, because the pending transfer expired, is booked in any case: the payee has fulfilled. */
  #postAnswered(packet: number, status: CreateTransferStatus): void {
    if (status === Status.created) return this.#booked(packet)
    if (status === Status.pending_transfer_already_posted) {
      this.#contradicted('a post', status)
      return this.#booked(packet)
    }
    this.#packets.state[packet] = SharedState.rebooking
    this.#toRebook.push(packet)
    this.#rebooking++
    this.#deps.logger.warn('pending transfer could not be posted, booking the packet anew', {
      status: Status[status],
      sequence: this.#packets.sequence[packet],
    })
  }

  #voidAnswered(packet: number, status: CreateTransferStatus): void {
    if (status === Status.pending_transfer_already_posted) this.#contradicted('a void', status)
    this.#settlePending(packet)
    this.#packets.free(packet)
  }

  #compensateAnswered(packet: number, status: CreateTransferStatus): void {
    if (status !== Status.created) this.#contradicted('a compensation', status)
    const payer = this.#deps.account(this.#packets.payer[packet]!)
    payer.balance = add(payer.balance, this.#packets.inAmount.get(packet))
    this.#tellCommitted(packet)
  }

  /** The packet is in the books. */
  #booked(packet: number): void {
    const packets = this.#packets
    const payer = this.#deps.account(packets.payer[packet]!)
    const payee = this.#deps.account(packets.payee[packet]!)
    this.#settlePending(packet)
    this.#giveBack(packet)
    payer.balance = subtract(payer.balance, packets.inAmount.get(packet))
    payee.balance = add(payee.balance, packets.outAmount.get(packet))
    if (packets.abandoned[packet] === 0 || packets.inAmount.get(packet) === 0)
      return this.#tellCommitted(packet)
    packets.state[packet] = SharedState.compensateQueued
    this.writer.push(packet)
  }

  async #rebook(list: number[]): Promise<void> {
    const { connection, logger } = this.#deps
    const packets = this.#packets
    const fulfilled = list.map((packet) => ({
      baseId: packetBaseId(this.writer.epoch, packets.sequence[packet]!),
      payer: this.#deps.account(packets.payer[packet]!).book,
      payee: this.#deps.account(packets.payee[packet]!).book,
      inAmount: BigInt(packets.inAmount.get(packet)),
      outAmount: BigInt(packets.outAmount.get(packet)),
    }))
    while (!this.#isEnded) {
      try {
        await bookRefusedPackets(connection, fulfilled, logger)
        break
      } catch (error) {
        if (!(error instanceof LedgerUnavailableError)) {
          this.#deps.fault(error instanceof Error ? error : new LedgerFaultError(String(error)))
          return
        }
        this.#deps.late(error.message)
        await delay(REBOOK_PAUSE_MS)
      }
    }
    if (this.#isEnded) return
    this.#rebooking -= list.length
    for (const packet of list) this.#booked(packet)
  }

  /** The request is through: packets that could not be posted are booked beside the next one. */
  #finished(tookMs: number): void {
    const list = this.#toRebook
    if (list.length > 0) {
      this.#toRebook = []
      void this.#rebook(list)
    }
    this.#deps.answered(tookMs)
  }

  /** Reservations that wait are given up; what lands all the same is voided when the answer comes. */
  late(reason: string): void {
    this.#deps.late(reason)
    const slots: number[] = []
    this.writer.forEach((packet) => {
      const slot = this.#packets.slot[packet]!
      if (slot === DETACHED || this.#packets.state[packet]! > SharedState.reserveSent) return
      this.#detach(packet)
      this.#giveBack(packet)
      slots.push(slot)
    })
    for (const slot of slots) this.#tellReserved(slot, ReserveOutcome.unavailable)
  }

  #void(packet: number): void {
    this.#packets.state[packet] = SharedState.voidQueued
    this.writer.push(packet)
  }

  #detach(packet: number): void {
    this.#slots[this.#packets.slot[packet]!] = FREE
    this.#packets.slot[packet] = DETACHED
  }

  /** What this process had set aside for the packet. */
  #giveBack(packet: number): void {
    const packets = this.#packets
    const payer = this.#deps.account(packets.payer[packet]!)
    const payee = this.#deps.account(packets.payee[packet]!)
    payer.reserved = subtract(payer.reserved, packets.inAmount.get(packet))
    payee.outgoing = subtract(payee.outgoing, packets.outAmount.get(packet))
  }

  /** Its pending transfer is resolved in the cluster. */
  #settlePending(packet: number): void {
    const payer = this.#deps.account(this.#packets.payer[packet]!)
    payer.pending = subtract(payer.pending, this.#packets.inAmount.get(packet))
  }

  #contradicted(what: string, status: CreateTransferStatus): void {
    this.#deps.fault(new LedgerFaultError(`${what} was answered ${Status[status]}`))
  }

  #announceZero(): void {
    const slots = this.#zeroCommitted
    this.#zeroCommitted = []
    for (const slot of slots) {
      this.#slots[slot] = FREE
      this.#tellSlotCommitted(slot)
    }
  }

  #tellCommitted(packet: number): void {
    const slot = this.#packets.slot[packet]!
    this.#slots[slot] = FREE
    this.#packets.free(packet)
    this.#tellSlotCommitted(slot)
  }

  #tellSlotCommitted(slot: number): void {
    try {
      this.#deps.listener().committed(slot)
    } catch (error) {
      this.#listenerFailed(slot, error)
    }
  }

  #tellReserved(slot: number, outcome: ReserveOutcome): void {
    try {
      this.#deps.listener().reserved(slot, outcome)
    } catch (error) {
      this.#listenerFailed(slot, error)
    }
  }

  #listenerFailed(slot: number, error: unknown): void {
    this.#deps.logger.error('packet listener failed', { slot, reason: String(error) })
  }
}
