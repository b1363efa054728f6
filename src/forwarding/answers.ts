import type { Amount } from '../ilp/amount.ts'
import { writeFulfill, writeReject } from '../ilp/encode-packet.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import { PACKET_LENGTH_MAX } from '../ilp/packet-view.ts'
import type { Account } from './account.ts'
import type { Faults } from './faults.ts'
import type { NodeAddress } from './node-address.ts'
import type { NodeStats } from './node-stats.ts'
import { countRaised } from './stats.ts'

const NO_DATA = Buffer.alloc(0)

/** What the node says to a payer, in its own words or in those of the next hop. Links copy what they are given. */
export class Answers {
  readonly #deps: { stats: NodeStats; address: NodeAddress; faults: Faults }
  readonly #buffer = Buffer.alloc(PACKET_LENGTH_MAX)

  constructor(deps: { stats: NodeStats; address: NodeAddress; faults: Faults }) {
    this.#deps = deps
  }

  /** Passes a reply on. A link that throws harms nobody else. */
  pass(payer: Account, handle: number, packet: Buffer, start: number, end: number): void {
    try {
      payer.link?.sendReply(handle, packet, start, end)
    } catch (error) {
      this.#deps.faults.report('link_error', 'link failed to reply', payer, error)
    }
  }

  /** Answers with a Reject of ours. */
  reject(payer: Account, handle: number, code: ErrorCode, message: string, data: Buffer = NO_DATA): void {
    const { stats, address } = this.#deps
    stats.rejects++
    countRaised(stats, code)
    this.pass(
      payer,
      handle,
      this.#buffer,
      0,
      writeReject(this.#buffer, 0, code, address.bytes, message, data),
    )
  }

  /** Rejects a Prepare that was never sent on. */
  refuse(payer: Account, handle: number, code: ErrorCode, message: string): void {
    this.#deps.stats.preparesRefused++
    this.reject(payer, handle, code, message)
  }

  /** F08 carries what came and what may come, in units of the payer's account (RFC 27). */
  refuseTooLarge(payer: Account, handle: number, received: Amount, maximum: Amount): void {
    const data = Buffer.alloc(16)
    data.writeBigUInt64BE(BigInt(received), 0)
    data.writeBigUInt64BE(BigInt(maximum), 8)
    this.#deps.stats.preparesRefused++
    const message = `packet amount is above the maximum of ${maximum}`
    this.reject(payer, handle, ErrorCode.amountTooLarge, message, data)
  }

  /** Fulfills a Prepare that was for this node itself. */
  fulfill(payer: Account, handle: number, fulfillment: Buffer, data: Buffer = NO_DATA): void {
    this.#deps.stats.preparesAccepted++
    this.#deps.stats.fulfills++
    this.pass(payer, handle, this.#buffer, 0, writeFulfill(this.#buffer, 0, fulfillment, data))
  }
}
