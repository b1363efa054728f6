import { deserializeIlpPrepare } from 'ilp-packet'
import type { Connection } from 'ilp-protocol-stream'
import { encodeFulfill, encodeReject } from '../ilp/encode-packet.ts'
import { ErrorCode } from '../ilp/error-code.ts'

/** A packet from the receiver of a payment of ours, answered by that payment's connection. Never rejects. */
export async function answerPrepare(
  connection: Connection,
  packet: Buffer,
  ownAddress: string,
): Promise<Buffer> {
  try {
    const { fulfillment, data } = await connection.handlePrepare(deserializeIlpPrepare(packet))
    return encodeFulfill(fulfillment, data)
  } catch (error) {
    const { ilpErrorCode, ilpErrorData } = error as { ilpErrorCode?: string; ilpErrorData?: Buffer }
    return encodeReject(ilpErrorCode ?? ErrorCode.badRequest, ownAddress, '', ilpErrorData)
  }
}
