import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP relay on loopback that can swallow what the server says: requests take effect, answers are lost. */
export class AnswerLosingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isMute = false

  private constructor(targetPort: () => number) {
    this.#server = createServer((incoming) => {
      const outgoing = connect(targetPort(), '127.0.0.1')
      this.#keep(incoming, outgoing)
      this.#keep(outgoing, incoming)
      incoming.pipe(outgoing)
      outgoing.on('data', (chunk) => {
        if (!this.#isMute) incoming.write(chunk)
      })
    })
  }

  static async start(targetPort: () => number): Promise<AnswerLosingProxy> {
    const proxy = new AnswerLosingProxy(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  mute(): void {
    this.#isMute = true
  }

  /** Connections that lost something are reset; new ones carry everything. */
  heal(): void {
    if (!this.#isMute) return
    this.#isMute = false
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #keep(socket: Socket, other: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      other.destroy()
    })
  }
}
