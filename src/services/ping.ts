import { performance } from 'node:perf_hooks'
import { type PingResult, ServiceError } from '../admin/services.ts'
import type { Account } from '../forwarding/account.ts'
import type { Forwarder } from '../forwarding/forwarder.ts'
import type { OwnRequests } from '../forwarding/own-requests.ts'
import { isAddress } from '../ilp/address.ts'
import { encodePrepare } from '../ilp/encode-packet.ts'
import { PacketType } from '../ilp/packet-view.ts'
import { createRejectView, parseReject } from '../ilp/parse-packet.ts'
import { PING_CONDITION } from '../ilp/ping.ts'
import type { Clock } from '../lib/clock.ts'
import type { LinkReceiver } from '../peers/link.ts'

export interface PingDeps {
  forwarder: Forwarder
  requests: OwnRequests
  self: Account
  clock: Clock
}

/**
 * Sends packets of no value through the connector itself. An address whose connector knows pings fulfills them; a
 * Reject from the far end shows as well that the way there works.
 */
export function createPing(deps: PingDeps): (address: string, timeoutMs: number) => Promise<PingResult> {
  const ears = deps.forwarder.receiver(deps.self, { connected() {}, disconnected() {}, protocolError() {} })
  return async (address, timeoutMs) => {
    if (!isAddress(address)) {
      const message = `"${address}" is not an ILP address`
      throw new ServiceError('VALIDATION_ERROR', message, [{ field: 'address', message }])
    }
    const packet = encodePrepare({
      amount: 0,
      expiresAtMs: deps.clock.now() + timeoutMs,
      condition: PING_CONDITION,
      destination: address,
      data: Buffer.alloc(0),
    })
    const startedAt = performance.now()
    const reply = await deps.requests.request((handle) => sendAs(ears, handle, packet))
    return describeReply(reply, performance.now() - startedAt)
  }
}

function sendAs(ears: LinkReceiver, handle: number, packet: Buffer): void {
  ears.prepare(handle, packet, 0, packet.length)
}

function describeReply(reply: Buffer, elapsedMs: number): PingResult {
  const roundTripMs = Math.round(elapsedMs * 1000) / 1000
  if (reply[0] === PacketType.fulfill) {
    return { reached: true, roundTripMs, code: undefined, message: undefined, triggeredBy: undefined }
  }
  const view = createRejectView()
  parseReject(reply, 0, reply.length, view)
  const text = (offset: number, length: number) => reply.toString('utf8', offset, offset + length)
  return {
    reached: false,
    roundTripMs,
    code: text(view.codeOffset, 3),
    message: text(view.messageOffset, view.messageLength),
    triggeredBy: text(view.triggeredByOffset, view.triggeredByLength),
  }
}
