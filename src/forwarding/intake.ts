import { AMOUNT_MAX, type Amount, toAmount } from '../ilp/amount.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import { PEER_PROTOCOL_FULFILLMENT } from '../ilp/ildcp.ts'
import type { PrepareView } from '../ilp/packet-view.ts'
import { createPrepareView, parsePrepare } from '../ilp/parse-packet.ts'
import { PeerAddress } from '../ilp/peer-addresses.ts'
import { PING_CONDITION, PING_FULFILLMENT } from '../ilp/ping.ts'
import type { Clock } from '../lib/clock.ts'
import type { RateProvider } from '../rates/rate-provider.ts'
import type { Account } from './account.ts'
import type { Answers } from './answers.ts'
import { conversionOf } from './conversion-of.ts'
import type { NodeAddress } from './node-address.ts'
import type { NodeStats } from './node-stats.ts'
import { answerPeerRequest } from './peer-protocol.ts'
import type { SettlementMessages } from './settlement-messages.ts'
import { countFault } from './stats.ts'

/** Finds the account behind an address by longest prefix; `self` for our own address. */
export interface RouteFinder {
  find(buffer: Buffer, offset: number, length: number): Account | undefined
}

/** Where a Prepare goes and for how much. One object is filled again and again. */
export interface Way {
  payer: Account
  /** Of the payer's request. */
  handle: number
  payee: Account
  outAmount: Amount
  outExpiryMs: number
}

export interface IntakeDeps {
  routes: RouteFinder
  rates: RateProvider
  address: NodeAddress
  stats: NodeStats
  clock: Clock
  self: Account
  answers: Answers
  settlementMessages: SettlementMessages
  /** Takes over a Prepare that is to be forwarded. Both arguments are valid during the call only. */
  onward(view: PrepareView, way: Way): void
}

/**
 * What comes in: checked, answered here when it is for this node or cannot go on, otherwise given a next hop, an
 * amount and an expiry. docs/packet-handling.md lists the checks in their order.
 */
export class Intake {
  readonly #deps: IntakeDeps
  readonly #answers: Answers
  readonly #prepare = createPrepareView()
  readonly #way: Way
  #isClosed = false

  constructor(deps: IntakeDeps) {
    this.#deps = deps
    this.#answers = deps.answers
    this.#way = { payer: deps.self, handle: 0, payee: deps.self, outAmount: 0, outExpiryMs: 0 }
  }

  /** From now on Prepares that would be forwarded get T03. */
  close(): void {
    this.#isClosed = true
  }

  /** A Prepare of this node itself, for a given account whatever its destination. */
  takeOwn(payee: Account, handle: number, packet: Buffer): void {
    const fault = parsePrepare(packet, 0, packet.length, this.#prepare)
    if (fault !== undefined) throw new Error(`own packet is invalid: ${fault}`)
    this.#onward(this.#deps.self, handle, payee, 0, this.#prepare.expiresAtMs)
  }

  /** A peer's request. `packet` may be patched in place. */
  take(payer: Account, handle: number, packet: Buffer, start: number, end: number): void {
    const view = this.#prepare
    const fault = parsePrepare(packet, start, end, view)
    if (fault !== undefined) return this.#answers.refuse(payer, handle, ErrorCode.invalidPacket, fault)
    const now = this.#deps.clock.now()
    if (!payer.packetRate.take(now))
      return this.#answers.refuse(payer, handle, ErrorCode.rateLimited, 'too many packets per second')
    if (view.expiresAtMs <= now)
      return this.#answers.refuse(payer, handle, ErrorCode.insufficientTimeout, 'packet has already expired')
    if (isPeerAddress(packet, view.destinationOffset)) return this.#answerPeer(payer, handle)
    if (this.#isClosed)
      return this.#answers.refuse(payer, handle, ErrorCode.connectorBusy, 'connector is shutting down')
    const { maxPacketAmount } = payer.settings
    if (maxPacketAmount !== undefined && view.amount > maxPacketAmount) {
      return this.#answers.refuseTooLarge(payer, handle, view.amount, maxPacketAmount)
    }
    const payee = this.#deps.routes.find(packet, view.destinationOffset, view.destinationLength)
    if (payee === undefined)
      return this.#answers.refuse(payer, handle, ErrorCode.unreachable, 'no route to the destination')
    if (payee === this.#deps.self) return this.#answerSelf(payer, handle)
    if (payee === payer && !payer.settings.allowReflection) {
      return this.#answers.refuse(payer, handle, ErrorCode.unreachable, 'the route leads back to the sender')
    }
    this.#price(payer, handle, payee, now)
  }

  /** Amount and expiry for the next hop. */
  #price(payer: Account, handle: number, payee: Account, now: number): void {
    const { amount, expiresAtMs } = this.#prepare
    // A packet without value needs no rate.
    const outAmount = amount === 0 ? 0 : this.#convert(payer, handle, payee, amount, now)
    if (outAmount === undefined) return
    const { minMessageWindowMs, maxHoldTimeMs } = payee.settings
    const outExpiryMs = Math.min(expiresAtMs - minMessageWindowMs, now + maxHoldTimeMs)
    if (outExpiryMs - now < minMessageWindowMs) {
      return this.#answers.refuse(
        payer,
        handle,
        ErrorCode.insufficientTimeout,
        'not enough time left to forward the packet',
      )
    }
    this.#onward(payer, handle, payee, outAmount, outExpiryMs)
  }

  /** The amount for the next hop, or undefined when the packet was refused for it. */
  #convert(payer: Account, handle: number, payee: Account, amount: Amount, now: number): Amount | undefined {
    const conversion = conversionOf(payer, payee, this.#deps.rates)
    if (conversion === undefined) {
      countFault(this.#deps.stats, { kind: 'rate_error', severity: 'warning', nowMs: now })
      const message = `no current exchange rate from ${payer.asset.code} to ${payee.asset.code}`
      this.#answers.refuse(payer, handle, ErrorCode.internalError, message)
      return undefined
    }
    const outAmount = conversion.convert(amount)
    if (outAmount === undefined) {
      const { numerator, denominator } = conversion.ratio
      this.#answers.refuseTooLarge(payer, handle, amount, toAmount((AMOUNT_MAX * denominator) / numerator))
    } else if (outAmount === 0) {
      const message = 'amount is too small: nothing would arrive after conversion'
      this.#answers.refuse(payer, handle, ErrorCode.insufficientSourceAmount, message)
      return undefined
    }
    return outAmount
  }

  #onward(payer: Account, handle: number, payee: Account, outAmount: Amount, outExpiryMs: number): void {
    const way = this.#way
    way.payer = payer
    way.handle = handle
    way.payee = payee
    way.outAmount = outAmount
    way.outExpiryMs = outExpiryMs
    this.#deps.onward(this.#prepare, way)
  }

  #answerPeer(payer: Account, handle: number): void {
    const { buffer, destinationOffset, destinationLength } = this.#prepare
    const destination = buffer.toString('latin1', destinationOffset, destinationOffset + destinationLength)
    if (this.#prepare.amount !== 0) {
      return this.#answers.refuse(
        payer,
        handle,
        ErrorCode.badRequest,
        'peer protocol requests carry no money',
      )
    }
    if (destination === PeerAddress.settle) {
      const { dataOffset, dataLength, expiresAtMs } = this.#prepare
      const message = Buffer.from(buffer.subarray(dataOffset, dataOffset + dataLength))
      return this.#deps.settlementMessages.take(payer, handle, message, expiresAtMs)
    }
    const answer = answerPeerRequest(destination, payer, this.#deps.address)
    if ('code' in answer) return this.#answers.refuse(payer, handle, answer.code, answer.message)
    this.#answers.fulfill(payer, handle, PEER_PROTOCOL_FULFILLMENT, answer.data)
  }

  /** Packets to our own address: pings, and nothing else. */
  #answerSelf(payer: Account, handle: number): void {
    const view = this.#prepare
    const own = this.#deps.address.bytes
    const destinationEnd = view.destinationOffset + view.destinationLength
    if (own.compare(view.buffer, view.destinationOffset, destinationEnd) !== 0) {
      return this.#answers.refuse(payer, handle, ErrorCode.unreachable, 'no account with this address')
    }
    if (PING_CONDITION.compare(view.buffer, view.conditionOffset, view.conditionOffset + 32) !== 0) {
      return this.#answers.refuse(payer, handle, ErrorCode.unexpectedPayment, 'this address takes pings only')
    }
    if (view.amount !== 0)
      return this.#answers.refuse(payer, handle, ErrorCode.invalidAmount, 'a ping carries no money')
    this.#answers.fulfill(payer, handle, PING_FULFILLMENT)
  }
}

/** `peer.`: RFC 15 keeps such addresses between two peers. */
function isPeerAddress(buffer: Buffer, offset: number): boolean {
  return (
    buffer[offset] === 0x70 &&
    buffer[offset + 1] === 0x65 &&
    buffer[offset + 2] === 0x65 &&
    buffer[offset + 3] === 0x72 &&
    buffer[offset + 4] === 0x2e
  )
}
