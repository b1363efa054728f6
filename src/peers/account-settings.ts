import type { PeerConfig } from '../config/schema.ts'
import type { AccountSettings } from '../forwarding/account.ts'
import { toAmount } from '../ilp/amount.ts'
import { parseDecimal } from '../rates/decimal.ts'

const amountOf = (text: string | undefined) => (text === undefined ? undefined : toAmount(BigInt(text)))
const bigintOf = (text: string | undefined) => (text === undefined ? undefined : BigInt(text))

/** The limits of a peer as the packet path wants them. */
export function accountSettings(
  peer: Pick<PeerConfig, 'limits' | 'spread' | 'allowReflection'>,
): AccountSettings {
  const { limits } = peer
  return {
    maxPacketAmount: amountOf(limits.maxPacketAmount),
    packetsPerSecond: limits.packetsPerSecond,
    packetBurst: limits.packetBurst,
    incomingAmountPerSecond: bigintOf(limits.incomingAmountPerSecond),
    outgoingAmountPerSecond: bigintOf(limits.outgoingAmountPerSecond),
    packetsInFlightMax: limits.packetsInFlight,
    amountInFlightMax: amountOf(limits.amountInFlight),
    minMessageWindowMs: limits.minMessageWindowMs,
    maxHoldTimeMs: limits.maxHoldTimeMs,
    spread: parseDecimal(peer.spread),
    allowReflection: peer.allowReflection,
  }
}
