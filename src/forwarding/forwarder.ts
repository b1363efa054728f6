import { performance } from 'node:perf_hooks'
import { type Amount, add, subtract } from '../ilp/amount.ts'
import { reencodeFulfill, reencodePrepare, reencodeReject } from '../ilp/encode-packet.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import { PACKET_LENGTH_MAX, PacketType, type PrepareView } from '../ilp/packet-view.ts'
import { createFulfillView, createRejectView, parseFulfill, parseReject } from '../ilp/parse-packet.ts'
import { patchPrepare } from '../ilp/patch-prepare.ts'
import { fulfillmentMatches } from '../ilp/sha256.ts'
import { type Ledger, type PacketListener, ReserveOutcome } from '../ledger/ledger.ts'
import type { Clock } from '../lib/clock.ts'
import { crashPoint } from '../lib/crash-point.ts'
import type { Logger } from '../lib/logger.ts'
import { TimerWheel } from '../lib/timer-wheel.ts'
import { type LinkReceiver, type SendFailure, SendOutcome } from '../peers/link.ts'
import type { RateProvider } from '../rates/rate-provider.ts'
import type { Account } from './account.ts'
import { Answers } from './answers.ts'
import { Faults } from './faults.ts'
import { HeldBytes } from './held-bytes.ts'
import { InFlight, NO_SLOT, SlotState } from './in-flight.ts'
import { Intake, type RouteFinder, type Way } from './intake.ts'
import type { NodeAddress } from './node-address.ts'
import type { NodeStats } from './node-stats.ts'
import { SettlementMessages } from './settlement-messages.ts'
import { observeLatency } from './stats.ts'

/** Packets held for the ledger may take this much memory before new ones get T03: 256 MiB. */
const HELD_BYTES_MAX = 256 * 1024 * 1024

const SEND_FAILURE_CODE: Record<SendFailure, ErrorCode> = {
  unreachable: ErrorCode.peerUnreachable,
  'bad-answer': ErrorCode.internalError,
  refused: ErrorCode.badRequest,
}

export interface ForwarderOptions {
  /** Packets in flight over all peers, 1 to 65,536. */
  capacity: number
  /** When a FULFILL goes back to the payer. */
  relay: 'after-commit' | 'immediately'
}

export interface ForwarderDeps {
  ledger: Ledger
  routes: RouteFinder
  rates: RateProvider
  address: NodeAddress
  stats: NodeStats
  clock: Clock
  logger: Logger
  /** Account that stands for this node: target of our own address, payer of our own requests. */
  self: Account
}

/**
 * The path of one packet: checked, priced, reserved, handed to the next hop; its reply checked, booked and passed
 * back; its expiry kept. See docs/architecture.md, "One packet". Nothing here allocates per packet.
 */
export class Forwarder implements PacketListener {
  readonly settlementMessages: SettlementMessages
  readonly #relayAfterCommit: boolean
  readonly #deps: ForwarderDeps
  readonly #faults: Faults
  readonly #answers: Answers
  readonly #intake: Intake
  readonly #inFlight: InFlight
  readonly #held: HeldBytes
  readonly #wheel: TimerWheel
  readonly #fulfill = createFulfillView()
  readonly #reject = createRejectView()
  readonly #scratch = Buffer.alloc(PACKET_LENGTH_MAX)

  constructor(options: ForwarderOptions, deps: ForwarderDeps) {
    this.#relayAfterCommit = options.relay === 'after-commit'
    this.#deps = deps
    this.#inFlight = new InFlight(options.capacity)
    this.#held = new HeldBytes(options.capacity)
    this.#wheel = new TimerWheel(
      { capacity: options.capacity },
      { now: deps.clock.now, expired: (slot) => this.#expired(slot) },
    )
    this.#faults = new Faults(deps)
    this.#answers = new Answers({ ...deps, faults: this.#faults })
    const onward = (view: PrepareView, way: Way) => this.#dispatch(view, way)
    this.settlementMessages = new SettlementMessages({ answers: this.#answers, clock: deps.clock })
    const { settlementMessages } = this
    this.#intake = new Intake({ ...deps, answers: this.#answers, settlementMessages, onward })
    deps.ledger.listener = this
  }

  /** Packets in flight, those that wait for the ledger included. */
  get used(): number {
    return this.#inFlight.used
  }

  /** From now on Prepares get T03; packets in flight go on. */
  drain(): void {
    this.#intake.close()
  }

  /** Fires what is due; for tests with a clock of their own. */
  advance(): void {
    this.#wheel.advance()
  }

  /** The ears of one account's link. */
  receiver(
    account: Account,
    events: Pick<LinkReceiver, 'connected' | 'disconnected' | 'protocolError' | 'money'>,
  ): LinkReceiver {
    return {
      ...events,
      prepare: (handle, packet, start, end) => this.#intake.take(account, handle, packet, start, end),
      reply: (token, packet, start, end) => this.#onReply(account, token, packet, start, end),
      failed: (token, failure, message) => this.#onFailed(account, token, failure, message),
    }
  }

  /** Sends a Prepare of this node itself over a given account's link; the reply goes to `self`'s link. */
  sendOwn(payee: Account, handle: number, packet: Buffer): void {
    this.#intake.takeOwn(payee, handle, packet)
  }

  /** Takes a slot, sets the payer's credit aside and sends. */
  #dispatch(view: PrepareView, way: Way): void {
    const { payer, handle, payee, outAmount, outExpiryMs } = way
    const inAmount = view.amount
    if (!payee.connected)
      return this.#answers.refuse(payer, handle, ErrorCode.peerUnreachable, 'next hop is not connected')
    const { packetsInFlightMax, amountInFlightMax } = payer.settings
    if (payer.packetsInFlight >= packetsInFlightMax || this.#held.bytes > HELD_BYTES_MAX) {
      return this.#answers.refuse(payer, handle, ErrorCode.connectorBusy, 'too many packets in flight')
    }
    if (amountInFlightMax !== undefined && add(payer.amountInFlight, inAmount) > amountInFlightMax) {
      return this.#answers.refuse(payer, handle, ErrorCode.insufficientLiquidity, 'too much value in flight')
    }
    const slot = this.#inFlight.take()
    if (slot === NO_SLOT)
      return this.#answers.refuse(
        payer,
        handle,
        ErrorCode.connectorBusy,
        'connector is at its limit of packets in flight',
      )
    this.#fill(slot, view, way)
    const outcome =
      inAmount === 0 && outAmount === 0
        ? ReserveOutcome.reserved
        : this.#deps.ledger.reserve(slot, payer.ledger, payee.ledger, inAmount, outAmount)
    if (outcome !== ReserveOutcome.reserved && outcome !== ReserveOutcome.pending) {
      return this.#notReserved(slot, outcome)
    }
    if (!this.#withinThroughput(payer, payee, inAmount, outAmount)) {
      if (outcome === ReserveOutcome.reserved) this.#release(slot)
      else this.#inFlight.state[slot] = SlotState.reservingExpired
      return this.#rejectSlot(slot, ErrorCode.insufficientLiquidity, 'too much value per second')
    }
    const { buffer, start } = view
    patchPrepare(view, outAmount, outExpiryMs)
    const packet = view.canonical ? buffer : this.#scratch
    const from = view.canonical ? start : 0
    const to = view.canonical ? view.end : reencodePrepare(view, this.#scratch, 0)
    if (outcome === ReserveOutcome.pending) {
      this.#held.hold(slot, packet, from, to)
      return
    }
    crashPoint('forward.reserved')
    this.#send(slot, packet, from, to)
  }

  #fill(slot: number, view: PrepareView, { payer, handle, payee, outAmount, outExpiryMs }: Way): void {
    const table = this.#inFlight
    table.state[slot] = SlotState.reserving
    table.payer[slot] = payer
    table.payee[slot] = payee
    table.handle[slot] = handle
    view.buffer.copy(table.conditions, slot * 32, view.conditionOffset, view.conditionOffset + 32)
    table.inExpiryMs[slot] = view.expiresAtMs
    table.outExpiryMs[slot] = outExpiryMs
    table.arrivedAt[slot] = performance.now()
    table.inAmount.set(slot, view.amount)
    table.outAmount.set(slot, outAmount)
    payer.packetsInFlight++
    payer.amountInFlight = add(payer.amountInFlight, view.amount)
    this.#deps.stats.packetsInFlight++
    this.#wheel.schedule(slot, outExpiryMs)
  }

  #send(slot: number, packet: Buffer, start: number, end: number): void {
    const table = this.#inFlight
    const token = table.token(slot)
    table.state[slot] = SlotState.sent
    this.#deps.stats.preparesAccepted++
    const outcome = this.#trySend(table.payee[slot]!, token, packet, start, end, table.outExpiryMs[slot]!)
    if (outcome === SendOutcome.sent) return crashPoint('forward.sent')
    // A link that answered and then said that it had not sent breaks its contract: the answer stands.
    if (table.slotOf(token) === NO_SLOT || table.state[slot] !== SlotState.sent) return
    this.#deps.stats.preparesAccepted--
    table.state[slot] = SlotState.reserving
    this.#release(slot)
    if (outcome === SendOutcome.busy)
      return this.#rejectSlot(slot, ErrorCode.peerBusy, 'next hop is overloaded')
    this.#rejectSlot(slot, ErrorCode.peerUnreachable, 'next hop is not connected')
  }

  #trySend(
    payee: Account,
    token: number,
    packet: Buffer,
    start: number,
    end: number,
    expiresAtMs: number,
  ): SendOutcome {
    try {
      return payee.link!.sendPrepare(token, packet, start, end, expiresAtMs)
    } catch (error) {
      this.#faults.report('link_error', 'link failed to send', payee, error)
      return SendOutcome.unreachable
    }
  }

  /** Answer of a shared ledger. */
  reserved(slot: number, outcome: ReserveOutcome): void {
    const state = this.#inFlight.state[slot]
    if (state === SlotState.reservingExpired) {
      if (outcome === ReserveOutcome.reserved) this.#deps.ledger.release(slot)
      this.#held.drop(slot)
      return this.#inFlight.free(slot)
    }
    if (outcome !== ReserveOutcome.reserved) {
      this.#held.drop(slot)
      return this.#notReserved(slot, outcome)
    }
    crashPoint('forward.reserved')
    const packet = this.#held.buffer(slot)
    const start = this.#held.start(slot)
    const end = this.#held.end(slot)
    // The bytes stay in place until something else is held; the link copies them first.
    this.#held.drop(slot)
    this.#send(slot, packet, start, end)
  }

  #notReserved(slot: number, outcome: ReserveOutcome): void {
    if (outcome === ReserveOutcome.unavailable) {
      return this.#rejectSlot(slot, ErrorCode.internalError, 'ledger is not available')
    }
    const message =
      outcome === ReserveOutcome.payableExceeded
        ? 'no liquidity towards the next hop'
        : 'credit limit exceeded'
    this.#rejectSlot(slot, ErrorCode.insufficientLiquidity, message)
  }

  #onReply(payee: Account, token: number, packet: Buffer, start: number, end: number): void {
    const slot = this.#inFlight.slotOf(token)
    const table = this.#inFlight
    if (slot === NO_SLOT || table.payee[slot] !== payee || table.state[slot] !== SlotState.sent) {
      return this.#faults.lateReply(payee, packet[start] === PacketType.fulfill)
    }
    const now = this.#deps.clock.now()
    // The wheel may not have come round yet: the deadline counts, not the timer.
    if (now > table.outExpiryMs[slot]!) {
      this.#expired(slot)
      return this.#faults.lateReply(payee, packet[start] === PacketType.fulfill)
    }
    const type = start < end ? packet[start] : undefined
    if (type === PacketType.fulfill) return this.#onFulfill(slot, payee, packet, start, end)
    if (type === PacketType.reject) return this.#onReject(slot, payee, packet, start, end)
    this.#badReply(slot, payee, 'reply is neither Fulfill nor Reject')
  }

  #onFulfill(slot: number, payee: Account, packet: Buffer, start: number, end: number): void {
    const view = this.#fulfill
    const fault = parseFulfill(packet, start, end, view)
    if (fault !== undefined) return this.#badReply(slot, payee, fault)
    const table = this.#inFlight
    if (!this.#conditionMet(slot, packet, view.fulfillmentOffset)) {
      this.#deps.stats.wrongFulfills++
      this.#faults.report('packet_error', 'peer sent a wrong fulfillment', payee)
      this.#release(slot)
      return this.#rejectSlot(slot, ErrorCode.wrongCondition, 'next hop sent a wrong fulfillment')
    }
    crashPoint('forward.fulfilled')
    const reply = view.canonical ? packet : this.#scratch
    const from = view.canonical ? start : 0
    const to = view.canonical ? view.end : reencodeFulfill(view, this.#scratch, 0)
    const valueless = table.inAmount.get(slot) === 0 && table.outAmount.get(slot) === 0
    if (valueless || !this.#relayAfterCommit) this.#relayFulfill(slot, reply, from, to)
    if (valueless) return table.free(slot)
    table.state[slot] = this.#relayAfterCommit ? SlotState.committing : SlotState.relayed
    if (this.#relayAfterCommit) {
      this.#held.hold(slot, reply, from, to)
      // The payer's own deadline is what counts from here on, less some time for the answer to reach it.
      this.#wheel.cancel(slot)
      this.#wheel.schedule(slot, table.inExpiryMs[slot]! - payee.settings.minMessageWindowMs / 2)
    }
    this.#deps.ledger.commit(slot)
  }

  #conditionMet(slot: number, packet: Buffer, fulfillmentOffset: number): boolean {
    return fulfillmentMatches(packet, fulfillmentOffset, this.#inFlight.conditions, slot * 32)
  }

  /** The packet is booked. */
  committed(slot: number): void {
    const table = this.#inFlight
    const payer = table.payer[slot]!
    const payee = table.payee[slot]!
    if (table.state[slot] !== SlotState.abandoned)
      payer.debited = add(payer.debited, table.inAmount.get(slot))
    payee.credited = add(payee.credited, table.outAmount.get(slot))
    payee.earned?.()
    if (table.state[slot] === SlotState.committing) {
      this.#relayFulfill(slot, this.#held.buffer(slot), this.#held.start(slot), this.#held.end(slot))
      crashPoint('forward.relayed')
    }
    this.#held.drop(slot)
    table.free(slot)
  }

  #relayFulfill(slot: number, packet: Buffer, start: number, end: number): void {
    this.#deps.stats.fulfills++
    this.#answerPayer(slot, packet, start, end)
  }

  #onReject(slot: number, payee: Account, packet: Buffer, start: number, end: number): void {
    const view = this.#reject
    const fault = parseReject(packet, start, end, view)
    if (fault !== undefined) return this.#badReply(slot, payee, fault)
    this.#release(slot)
    this.#deps.stats.rejects++
    if (view.canonical) this.#answerPayer(slot, packet, start, view.end)
    else this.#answerPayer(slot, this.#scratch, 0, reencodeReject(view, this.#scratch, 0))
    this.#inFlight.free(slot)
  }

  #onFailed(payee: Account, token: number, failure: SendFailure, message: string): void {
    const slot = this.#inFlight.slotOf(token)
    if (
      slot === NO_SLOT ||
      this.#inFlight.payee[slot] !== payee ||
      this.#inFlight.state[slot] !== SlotState.sent
    )
      return
    this.#release(slot)
    this.#deps.logger.debug('next hop did not answer', { accountId: payee.id, failure, reason: message })
    this.#rejectSlot(slot, SEND_FAILURE_CODE[failure], failureMessage(failure))
  }

  #badReply(slot: number, payee: Account, fault: string): void {
    this.#faults.report('packet_error', 'peer sent an invalid reply', payee, fault)
    this.#release(slot)
    this.#rejectSlot(slot, ErrorCode.internalError, 'next hop sent an invalid reply')
  }

  #expired(slot: number): void {
    const table = this.#inFlight
    const state = table.state[slot]
    this.#wheel.cancel(slot)
    if (state === SlotState.reserving) {
      table.state[slot] = SlotState.reservingExpired
    } else if (state === SlotState.committing) {
      this.#deps.ledger.abandon(slot)
      table.state[slot] = SlotState.abandoned
      this.#faults.report(
        'ledger_error',
        'ledger did not book a fulfilled packet in time',
        table.payer[slot]!,
      )
    } else if (state === SlotState.sent) {
      this.#release(slot)
    } else {
      return
    }
    this.#rejectSlot(slot, ErrorCode.transferTimedOut, 'no reply before the packet expired')
  }

  /** Gives the reservation back; the slot is still to be answered and freed. */
  #release(slot: number): void {
    const table = this.#inFlight
    if (table.inAmount.get(slot) === 0 && table.outAmount.get(slot) === 0) return
    this.#deps.ledger.release(slot)
  }

  /** Answers the payer with a Reject of ours; frees the slot unless the ledger still has a word to say. */
  #rejectSlot(slot: number, code: ErrorCode, message: string): void {
    const table = this.#inFlight
    const state = table.state[slot]
    if (state === SlotState.reserving || state === SlotState.reservingExpired) {
      this.#deps.stats.preparesRefused++
    }
    this.#leave(slot)
    this.#answers.reject(table.payer[slot]!, table.handle[slot]!, code, message)
    if (state !== SlotState.reservingExpired && state !== SlotState.abandoned) table.free(slot)
  }

  #answerPayer(slot: number, packet: Buffer, start: number, end: number): void {
    this.#leave(slot)
    this.#answers.pass(this.#inFlight.payer[slot]!, this.#inFlight.handle[slot]!, packet, start, end)
  }

  /** Takes the packet out of all counts of packets in flight: its payer is about to be answered. */
  #leave(slot: number): void {
    const table = this.#inFlight
    const { stats } = this.#deps
    const payer = table.payer[slot]!
    this.#wheel.cancel(slot)
    payer.packetsInFlight--
    payer.amountInFlight = subtract(payer.amountInFlight, table.inAmount.get(slot))
    stats.packetsInFlight--
    observeLatency(stats, performance.now() - table.arrivedAt[slot]!)
  }

  #withinThroughput(payer: Account, payee: Account, inAmount: Amount, outAmount: Amount): boolean {
    const now = this.#deps.clock.now()
    if (payer.incomingRate !== undefined && !payer.incomingRate.take(inAmount, now)) return false
    return payee.outgoingRate === undefined || payee.outgoingRate.take(outAmount, now)
  }
}

function failureMessage(failure: SendFailure): string {
  switch (failure) {
    case 'unreachable':
      return 'next hop did not answer'
    case 'bad-answer':
      return 'next hop sent an invalid reply'
    case 'refused':
      return 'next hop refused the request'
  }
}
