import { createServer, type Server, type Socket } from 'node:net'
import { HttpMessageReader } from './http-message-reader.ts'
import type { WireEvents } from './load.ts'

const HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: ',
  'latin1',
)
const NO_CONTENT = Buffer.from('HTTP/1.1 204 No Content\r\nallow: POST, OPTIONS\r\n\r\n', 'latin1')
/** Room in each connection's write buffer for a FULFILL with little data; it grows with the packets. Bytes. */
const WRITE_LENGTH = 1_024

/**
 * The server of payees at one port, told apart by their paths: answers each POSTed Prepare at once. By hand on
 * `node:net`, for well below what `node:http` costs: it is not the load that is measured.
 */
export class HttpPayeeServer {
  readonly #port: number
  readonly #payees: ReadonlyMap<string, number>
  readonly #events: WireEvents
  readonly #sockets = new Set<Socket>()
  readonly #onSeen: (payee: number) => void
  #server: Server | undefined

  /**
   * @param options.payees indexes of the payees by their path
   * @param options.onSeen the connector has reached the payee, be it only to ask for its OPTIONS
   */
  constructor(
    options: { port: number; payees: ReadonlyMap<string, number>; onSeen: (payee: number) => void },
    events: WireEvents,
  ) {
    this.#port = options.port
    this.#payees = options.payees
    this.#onSeen = options.onSeen
    this.#events = events
  }

  async start(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#onConnection(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #onConnection(socket: Socket): void {
    // Free again once the next request came: that is sent only after the whole answer to the last.
    let response = Buffer.allocUnsafe(WRITE_LENGTH)
    HEAD.copy(response)
    let lastLine = ''
    let method: string | undefined
    let payee: number | undefined
    const reader = new HttpMessageReader((requestLine, bytes, start, end) => {
      if (requestLine !== lastLine) {
        lastLine = requestLine
        const [first, path] = requestLine.split(' ', 2)
        method = first
        payee = this.#payees.get(path!)
      }
      if (payee === undefined) throw new Error(`no payee is at the path of "${requestLine}"`)
      if (method !== 'POST') {
        socket.write(NO_CONTENT)
        this.#onSeen(payee)
        return
      }
      const fulfill = this.#events.prepare(payee, bytes, start, end)
      const lengthText = `${fulfill.length}\r\n\r\n`
      const bodyStart = HEAD.length + lengthText.length
      const length = bodyStart + fulfill.length
      if (length > response.length) {
        response = Buffer.allocUnsafe(length * 2)
        HEAD.copy(response)
      }
      response.write(lengthText, HEAD.length, 'latin1')
      fulfill.copy(response, bodyStart)
      socket.write(response.subarray(0, length))
    })
    this.#sockets.add(socket)
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.feed(chunk, 0, chunk.length)
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    // The connector tells of connections that it lost.
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}
