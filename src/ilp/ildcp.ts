import { type IlpAddress, isAddress, schemeOf } from './address.ts'
import { encodePrepare } from './encode-packet.ts'
import { DecodeError, OerReader, OerWriter } from './oer.ts'
import { ADDRESS_LENGTH_MAX } from './packet-view.ts'
import { PeerAddress } from './peer-addresses.ts'

/** ILDCP (RFC 31): a child asks its parent which address and asset it has. */

/** Where the request goes. */
export const ILDCP_DESTINATION = PeerAddress.config

/** Fulfills every packet of the protocols between peers: 32 zero bytes. */
export const PEER_PROTOCOL_FULFILLMENT: Buffer = Buffer.alloc(32)

/** SHA-256 of 32 zero bytes. */
export const PEER_PROTOCOL_CONDITION: Buffer = Buffer.from(
  '66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925',
  'hex',
)

/** RFC 31 names no bound; ours only keeps a parent from filling the logs. Bytes of UTF-8. */
const ASSET_CODE_LENGTH_MAX = 64

/** What a parent tells its child. */
export interface IldcpReply {
  /** The child's own address. */
  address: IlpAddress
  /** Decimal digits of the account's unit: 0..255. */
  assetScale: number
  /** For instance `XRP`: 1..64 bytes of UTF-8 without control characters. */
  assetCode: string
}

/** The request: a Prepare of amount 0. RFC 31 leaves its expiry to us. */
export function encodeIldcpRequest(expiresAtMs: number): Buffer {
  return encodePrepare({
    amount: 0,
    expiresAtMs,
    condition: PEER_PROTOCOL_CONDITION,
    destination: ILDCP_DESTINATION,
  })
}

/**
 * The `data` of the Fulfill that answers a request.
 * @throws RangeError when a field could not be decoded again by {@link decodeIldcpReply}
 */
export function encodeIldcpReply(reply: IldcpReply): Buffer {
  const assetCode = Buffer.from(reply.assetCode, 'utf8')
  const problem = addressProblem(reply.address) ?? assetCodeProblem(assetCode)
  if (problem !== undefined) throw new RangeError(problem)
  return new OerWriter()
    .writeVarOctets(Buffer.from(reply.address, 'latin1'))
    .writeUInt8(reply.assetScale)
    .writeVarOctets(assetCode)
    .finish()
}

/**
 * Reads the `data` of the Fulfill from a parent. Bytes after the last field are ignored (RFC 30).
 * @throws DecodeError that says what is wrong, fit for a log line
 */
export function decodeIldcpReply(data: Buffer): IldcpReply {
  const reader = new OerReader(data)
  // latin1 keeps every byte apart, so that a byte above 127 cannot pass for an ASCII letter.
  const address = reader.readVarOctets(ADDRESS_LENGTH_MAX, 'clientAddress').toString('latin1')
  const assetScale = reader.readUInt8('assetScale')
  const assetCode = reader.readVarOctets(ASSET_CODE_LENGTH_MAX, 'assetCode')
  const problem = addressProblem(address) ?? assetCodeProblem(assetCode)
  if (problem !== undefined) throw new DecodeError(problem)
  return { address: address as IlpAddress, assetScale, assetCode: assetCode.toString('utf8') }
}

function addressProblem(address: string): string | undefined {
  if (!isAddress(address)) return 'clientAddress is not a valid ILP address'
  if (schemeOf(address) === 'peer') return 'clientAddress lies under peer., which no packet can be routed to'
  return undefined
}

function assetCodeProblem(bytes: Buffer): string | undefined {
  if (bytes.length === 0 || bytes.length > ASSET_CODE_LENGTH_MAX)
    return `assetCode must have 1 to ${ASSET_CODE_LENGTH_MAX} bytes of UTF-8, not ${bytes.length}`
  // U+FFFD is what invalid UTF-8 decodes to.
  if (/[\p{Cc}\ufffd]/u.test(bytes.toString('utf8')))
    return 'assetCode has control characters or is not valid UTF-8'
  return undefined
}
