import { encodeFulfill, encodeReject } from '../ilp/encode-packet.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import {
  encodeIldcpReply,
  ILDCP_DESTINATION,
  type IldcpReply,
  PEER_PROTOCOL_FULFILLMENT,
} from '../ilp/ildcp.ts'
import { createPrepareView, parsePrepare } from '../ilp/parse-packet.ts'
import type { PacketEndpoint } from './packet-endpoint.ts'

/**
 * What a STREAM server takes for its plugin. The endpoint itself stays with the account, which shares it between
 * the server and the payments being made; the question for the address is answered with what the account knows.
 */
export class ServerPlugin implements PacketEndpoint {
  readonly #ildcp: IldcpReply
  readonly #send: (packet: Buffer) => Promise<Buffer>
  readonly #view = createPrepareView()
  #handler: ((packet: Buffer) => Promise<Buffer>) | undefined

  constructor(ildcp: IldcpReply, send: (packet: Buffer) => Promise<Buffer>) {
    this.#ildcp = ildcp
    this.#send = send
  }

  async connect(): Promise<void> {}

  async disconnect(): Promise<void> {}

  isConnected(): boolean {
    return true
  }

  async sendData(packet: Buffer): Promise<Buffer> {
    const view = this.#view
    const problem = parsePrepare(packet, 0, packet.length, view)
    if (problem !== undefined) return encodeReject(ErrorCode.badRequest, '', problem)
    const destinationEnd = view.destinationOffset + view.destinationLength
    return packet.toString('latin1', view.destinationOffset, destinationEnd) === ILDCP_DESTINATION
      ? encodeFulfill(PEER_PROTOCOL_FULFILLMENT, encodeIldcpReply(this.#ildcp))
      : this.#send(packet)
  }

  registerDataHandler(handler: (packet: Buffer) => Promise<Buffer>): void {
    this.#handler = handler
  }

  deregisterDataHandler(): void {
    this.#handler = undefined
  }

  /** A packet for the server. */
  async handle(packet: Buffer): Promise<Buffer> {
    return this.#handler === undefined
      ? encodeReject(ErrorCode.temporaryApplicationError, this.#ildcp.address, 'the receiver is closed')
      : this.#handler(packet)
  }
}
