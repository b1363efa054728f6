import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface DoubleRequest {
  method: string
  path: string
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface DoubleReply {
  status: number
  headers?: Record<string, string>
  body?: string | Buffer
}

/** Answers nothing and cuts the connection. */
export const CUT = 'cut'

/** A plain HTTP server on loopback that a test scripts. */
export class HttpDouble {
  readonly #server: Server
  #port = 0

  constructor(
    answer: (request: DoubleRequest) => Promise<DoubleReply | typeof CUT> | DoubleReply | typeof CUT,
  ) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('error', () => undefined)
      response.on('error', () => undefined)
      request.on('end', async () => {
        const { method = '', url = '', headers } = request
        const reply = await answer({ method, path: url, headers, body: Buffer.concat(chunks) })
        if (reply === CUT) {
          request.socket.destroy()
          return
        }
        response.writeHead(reply.status, reply.headers)
        response.end(reply.body)
      })
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** @param port 0: any free one */
  async start(port = 0): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', resolve)
    })
    this.#server.removeAllListeners('error')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }
}
