/**
 * How payments reach the node: the plugin interface of interledgerjs (version 2) without money, as
 * `ilp-protocol-stream` uses it. The local plugin's endpoints have this shape.
 */
export interface PacketEndpoint {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  /** Sends an ILP packet, resolves to the reply; rejects when it cannot be sent or its fate is unknown. */
  sendData(packet: Buffer): Promise<Buffer>
  registerDataHandler(handler: (packet: Buffer) => Promise<Buffer>): void
  deregisterDataHandler(): void
}
