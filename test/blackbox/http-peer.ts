import { createServer, type Server } from 'node:http'
import { Agent, request } from 'undici'
import { freePort } from '../support/free-port.ts'
import type { Behaviour, FakePeer } from './fake-peer.ts'

/** An ILP-over-HTTP peer made of node:http and undici. */
export class HttpPeer implements FakePeer {
  behaviour: Behaviour = () => undefined
  readonly received: Buffer[] = []
  readonly port: number
  readonly #url: string
  readonly #token: string
  readonly #agent = new Agent({ connections: 256 })
  #server: Server | undefined

  private constructor(options: { url: string; token: string }, port: number) {
    this.#url = options.url
    this.#token = options.token
    this.port = port
  }

  static async create(options: { url: string; token: string }): Promise<HttpPeer> {
    return new HttpPeer(options, await freePort())
  }

  async connect(): Promise<void> {
    const server = createServer((incoming, outgoing) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('end', () => {
        const packet = Buffer.concat(chunks)
        if (packet.length === 0) return outgoing.writeHead(400).end()
        this.received.push(packet)
        void Promise.resolve(this.behaviour(packet)).then((reply) => {
          if (reply === undefined) return
          outgoing.writeHead(200, { 'content-type': 'application/octet-stream' }).end(reply)
        })
      })
    })
    this.#server = server
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise<void>((resolve) =>
      this.#server === undefined ? resolve() : this.#server.close(() => resolve()),
    )
    this.#server = undefined
  }

  async send(packet: Buffer): Promise<Buffer> {
    const response = await request(this.#url, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { 'content-type': 'application/octet-stream', authorization: `Bearer ${this.#token}` },
      body: packet,
      headersTimeout: 60_000,
    })
    const body = Buffer.from(await response.body.arrayBuffer())
    if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}: ${body.toString()}`)
    return body
  }
}
