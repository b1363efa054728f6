import { encodePrepare } from '../ilp/encode-packet.ts'
import { PEER_PROTOCOL_CONDITION } from '../ilp/ildcp.ts'
import { DATA_LENGTH_MAX } from '../ilp/packet-view.ts'
import { createFulfillView, createRejectView, parseFulfill, parseReject } from '../ilp/parse-packet.ts'
import { PeerAddress } from '../ilp/peer-addresses.ts'
import type { Clock } from '../lib/clock.ts'
import { PeerMessageError } from './engine.ts'
import { readRefusalText } from './refusal-text.ts'

/** Time the peer has to answer. Its engine may have to read a chain first. */
const TIMEOUT_MS = 30_000
/** How much of a peer's words goes into errors, which are logged, characters. */
const QUOTE_LENGTH_MAX = 200

export interface PeerMessengerDeps {
  /** Sends a packet of this node over the account's link and resolves with the reply. */
  request(accountId: string, packet: Buffer): Promise<Buffer>
  clock: Clock
}

/** Messages of our engines to those of peers (RFC 38): ILP Prepares of no value to `peer.settle`. */
export class PeerMessenger {
  readonly #deps: PeerMessengerDeps

  constructor(deps: PeerMessengerDeps) {
    this.#deps = deps
  }

  /**
   * Resolves with the peer's answer.
   * @throws PeerMessageError with the peer's code when its engine refused, without one when nothing sure is known
   */
  async send(accountId: string, message: Buffer): Promise<Buffer> {
    if (message.length > DATA_LENGTH_MAX) {
      throw new PeerMessageError(`a settlement message has at most ${DATA_LENGTH_MAX} bytes`)
    }
    const packet = encodePrepare({
      amount: 0,
      expiresAtMs: this.#deps.clock.now() + TIMEOUT_MS,
      // The RFC prints the hash of the empty string; only this one is satisfied by the fulfillment of zeros.
      condition: PEER_PROTOCOL_CONDITION,
      destination: PeerAddress.settle,
      data: message,
    })
    let reply: Buffer
    try {
      reply = await this.#deps.request(accountId, packet)
    } catch (error) {
      throw new PeerMessageError(`the message could not be sent: ${(error as Error).message}`)
    }
    return readAnswer(reply)
  }
}

function readAnswer(reply: Buffer): Buffer {
  const fulfill = createFulfillView()
  if (parseFulfill(reply, 0, reply.length, fulfill) === undefined) {
    return Buffer.from(reply.subarray(fulfill.dataOffset, fulfill.dataOffset + fulfill.dataLength))
  }
  const reject = createRejectView()
  const fault = parseReject(reply, 0, reply.length, reject)
  if (fault !== undefined) throw new PeerMessageError(`the answer is invalid: ${fault}`)
  const code = reply.toString('latin1', reject.codeOffset, reject.codeOffset + 3)
  const text = reply.toString('utf8', reject.messageOffset, reject.messageOffset + reject.messageLength)
  // Only F00 says that the engine has heard the message and will not take it (RFC 38).
  const refusal = code === 'F00' ? readRefusalText(text) : undefined
  const said = text.slice(0, QUOTE_LENGTH_MAX).replace(/[^\x20-\x7e]+/g, ' ')
  throw new PeerMessageError(`the peer answered ${code} ${said}`, refusal)
}
