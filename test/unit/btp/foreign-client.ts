import BtpPacket from 'btp-packet'
import { WebSocket } from 'ws'
import { waitFor } from '../../compliance/wait-for.ts'

export type BtpFrame = ReturnType<typeof BtpPacket.deserialize>

export const entry = (protocolName: string, data: Buffer | string, contentType = 0) => ({
  protocolName,
  contentType,
  data: Buffer.from(data),
})

export const authEntries = (token: string) => [entry('auth', ''), entry('auth_token', token, 1)]

/** A peer made of npm's `ws` and `btp-packet`, that says whatever a test wants. */
export class ForeignClient {
  readonly frames: BtpFrame[] = []
  readonly socket: WebSocket
  closeCode: number | undefined
  pongs = 0

  constructor(url: string) {
    this.socket = new WebSocket(url, { perMessageDeflate: false })
    this.socket.on('error', () => undefined)
    this.socket.on('message', (data: Buffer) => this.frames.push(BtpPacket.deserialize(data)))
    this.socket.on('pong', () => this.pongs++)
    this.socket.on('close', (code) => {
      this.closeCode = code
    })
  }

  static async open(url: string): Promise<ForeignClient> {
    const client = new ForeignClient(url)
    await waitFor('the WebSocket to open', () => client.socket.readyState === WebSocket.OPEN)
    return client
  }

  static async logIn(url: string, token: string): Promise<ForeignClient> {
    const client = await ForeignClient.open(url)
    client.message(0, authEntries(token))
    const [answer] = await client.received(1)
    if (answer!.type !== BtpPacket.TYPE_RESPONSE) throw new Error('the login was refused')
    client.frames.length = 0
    return client
  }

  message(requestId: number, entries: ReturnType<typeof entry>[]): void {
    this.socket.send(BtpPacket.serializeMessage(requestId, entries))
  }

  response(requestId: number, entries: ReturnType<typeof entry>[]): void {
    this.socket.send(BtpPacket.serializeResponse(requestId, entries))
  }

  error(requestId: number, code: string, name = 'SomeError'): void {
    const error = { code, name, triggeredAt: new Date().toISOString(), data: '' }
    this.socket.send(BtpPacket.serializeError(error, requestId, []))
  }

  async received(count: number): Promise<BtpFrame[]> {
    await waitFor(`${count} frames`, () => this.frames.length >= count)
    return this.frames
  }

  async closed(): Promise<number> {
    await waitFor('the close', () => this.closeCode !== undefined)
    return this.closeCode!
  }

  end(): void {
    this.socket.terminate()
  }
}
