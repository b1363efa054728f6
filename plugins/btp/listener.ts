import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { LinkConfigError } from '../../src/peers/link.ts'
import type { BtpShare } from './btp-share.ts'
import { answerUpgrade } from './handshake.ts'
import { LOGIN_BYTES_MAX, LOGIN_LENGTH_MAX, Login } from './login.ts'
import type { ListenOptions } from './options.ts'
import { PendingSockets } from './pending-sockets.ts'
import type { ServerLink } from './server-link.ts'
import type { TokenIndex } from './token-index.ts'
import { WebSocketConnection } from './web-socket-connection.ts'

/** A WebSocket handshake has a handful of short headers. Bytes. */
const HEADER_BYTES_MAX = 8_192

/** Where peers connect: one port for all accounts, over TCP or TLS. */
export class BtpListener {
  readonly #options: ListenOptions
  readonly #share: BtpShare
  readonly #index: TokenIndex<ServerLink>
  readonly #pending: PendingSockets
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #address: AddressInfo | undefined

  constructor(options: ListenOptions, deps: { share: BtpShare; index: TokenIndex<ServerLink> }) {
    this.#options = options
    this.#share = deps.share
    this.#index = deps.index
    this.#pending = new PendingSockets({
      max: options.unauthenticatedMax,
      perNetworkMax: options.unauthenticatedPerAddressMax,
      deadlineMs: deps.share.authDeadlineMs,
    })
  }

  /** Rejects with a plain text when the port is taken or a TLS file cannot be read. */
  async start(): Promise<void> {
    const server = await this.#makeServer()
    server.on('connection', (socket: Socket) => this.#onConnection(socket))
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#onUpgrade(request, socket, head),
    )
    server.on('request', (_request, response) => {
      response.writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'text/plain' })
      response.end('BTP peers connect here over WebSocket.\n')
    })
    // A client that breaks HTTP or TLS gets nothing, and is nobody's concern.
    server.on('clientError', (_error, socket: Duplex) => socket.destroy())
    await this.#listen(server)
    this.#server = server
    this.#address = server.address() as AddressInfo
  }

  /** Ends every connection at once: links that were stopped before have said goodbye already. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    this.#pending.cutAll()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** `btp+ws://host:port` with the port in use. */
  get url(): string | undefined {
    if (this.#address === undefined || this.#server === undefined) return undefined
    const { address, family, port } = this.#address
    const scheme = this.#options.tls === undefined ? 'btp+ws' : 'btp+wss'
    return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  /** Sockets that have not logged in, for operators and tests. */
  get unauthenticated(): number {
    return this.#pending.size
  }

  async #makeServer(): Promise<Server> {
    const options = { maxHeaderSize: HEADER_BYTES_MAX, noDelay: true, keepAlive: true }
    const { tls } = this.#options
    if (tls === undefined) return createServer(options)
    const [cert, key] = await Promise.all([
      readTlsFile('tls.certFile', tls.certFile),
      readTlsFile('tls.keyFile', tls.keyFile),
    ])
    try {
      return createTlsServer({ ...options, cert, key, handshakeTimeout: this.#share.authDeadlineMs })
    } catch (error) {
      throw new LinkConfigError('tls', `certificate and key cannot be used: ${(error as Error).message}`)
    }
  }

  async #listen(server: Server): Promise<void> {
    const { host, port } = this.#options
    await new Promise<void>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => {
        const why =
          error.code === 'EADDRINUSE'
            ? 'the port is taken: choose another or stop the other program'
            : error.message
        reject(new LinkConfigError('listen', `cannot listen on ${host}:${port}: ${why}`))
      }
      server.once('error', onError)
      server.listen(port, host, () => {
        server.off('error', onError)
        server.on('error', (error) =>
          this.#share.logger.error('btp listener failed', { error: error.message }),
        )
        resolve()
      })
    })
  }

  #onConnection(socket: Socket): void {
    const key = keyOf(socket)
    this.#sockets.add(socket)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#pending.remove(key)
    })
    // Before the upgrade nobody else listens, and an error without a listener would end the process.
    socket.on('error', () => undefined)
    this.#pending.add(key, socket.remoteAddress ?? '', () => socket.destroy())
  }

  #onUpgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    // Both kinds of server hand over a net.Socket or its subclass tls.TLSSocket.
    const socket = stream as Socket
    socket.on('error', () => undefined)
    const answer = answerUpgrade(request)
    if (!answer.accepted) {
      socket.end(answer.text)
      return
    }
    socket.write(answer.text)
    const key = keyOf(socket)
    const login = new Login(
      { remote: key, onDone: () => this.#pending.remove(key) },
      { share: this.#share, index: this.#index },
    )
    const connection = new WebSocketConnection(socket, {
      role: 'server',
      messageLengthMax: LOGIN_LENGTH_MAX,
      handler: login,
      share: this.#share,
    })
    connection.bytesReadMax = LOGIN_BYTES_MAX
    login.connection = connection
    connection.open(head)
  }
}

/** Remote address and port: a TLS socket and the TCP socket under it have the same. */
function keyOf(socket: Socket): string {
  const address = socket.remoteAddress ?? 'unknown'
  return `${address.includes(':') ? `[${address}]` : address}:${socket.remotePort ?? 0}`
}

async function readTlsFile(path: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw new LinkConfigError(
      path,
      `cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
    )
  }
}
