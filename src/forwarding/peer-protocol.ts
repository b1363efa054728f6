import type { IlpAddress } from '../ilp/address.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import { encodeIldcpReply, ILDCP_DESTINATION } from '../ilp/ildcp.ts'
import type { Account } from './account.ts'
import type { NodeAddress } from './node-address.ts'

/** What we say to a request addressed to `peer.*`: data of a Fulfill of 32 zero bytes, or a Reject. */
export type PeerAnswer = { data: Buffer } | { code: ErrorCode; message: string }

const ROUTE_PREFIX = 'peer.route.'

/** Serves the peer protocols that are answered at once; none is ever forwarded (RFC 15, `peer.`). */
export function answerPeerRequest(destination: string, account: Account, address: NodeAddress): PeerAnswer {
  if (destination === ILDCP_DESTINATION) return answerIldcp(account, address)
  if (destination.startsWith(ROUTE_PREFIX)) {
    return { code: ErrorCode.badRequest, message: 'route exchange is not enabled for this account' }
  }
  return { code: ErrorCode.invalidPacket, message: 'unknown peer protocol' }
}

/** RFC 31: we serve children, and accounts of this node itself. */
function answerIldcp(account: Account, address: NodeAddress): PeerAnswer {
  if (account.addressSegment === undefined) {
    return { code: ErrorCode.badRequest, message: 'only child accounts get an address from this node' }
  }
  const childAddress = address.childAddress(account.addressSegment)
  if (childAddress === undefined) {
    return {
      code: ErrorCode.internalError,
      message: 'this node has no address yet: its parent has not told it',
    }
  }
  const reply = {
    address: childAddress as IlpAddress,
    assetScale: account.asset.scale,
    assetCode: account.asset.code,
  }
  return { data: encodeIldcpReply(reply) }
}
