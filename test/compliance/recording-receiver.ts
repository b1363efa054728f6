import type { LinkReceiver, SendFailure } from '../../src/peers/link.ts'

/** A node's ears that keep what they hear. Packets are copied, as the contract demands. */
export class RecordingReceiver implements LinkReceiver {
  readonly prepares: { handle: number; packet: Buffer }[] = []
  readonly replies: { token: number; packet: Buffer }[] = []
  readonly failures: { token: number; failure: SendFailure; message: string }[] = []
  readonly disconnections: string[] = []
  readonly protocolErrors: string[] = []
  connections = 0
  /** All calls together, to see that nothing more comes. */
  calls = 0

  prepare(handle: number, packet: Buffer, start: number, end: number): void {
    this.calls++
    this.prepares.push({ handle, packet: Buffer.from(packet.subarray(start, end)) })
  }

  reply(token: number, packet: Buffer, start: number, end: number): void {
    this.calls++
    this.replies.push({ token, packet: Buffer.from(packet.subarray(start, end)) })
  }

  failed(token: number, failure: SendFailure, message: string): void {
    this.calls++
    this.failures.push({ token, failure, message })
  }

  connected(): void {
    this.calls++
    this.connections++
  }

  disconnected(reason: string): void {
    this.calls++
    this.disconnections.push(reason)
  }

  protocolError(message: string): void {
    this.calls++
    this.protocolErrors.push(message)
  }
}
