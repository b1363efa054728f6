import type { Socket } from 'node:net'

/**
 * Keeps strangers and greedy peers from using up the sockets of the others. A socket is a stranger's until a request on
 * it proves an account; of too many strangers the oldest is dropped, so that a peer which proves itself at once always
 * gets in. An account may hold only so many sockets.
 */
export class SocketGuard {
  readonly #strangersMax: number
  readonly #perAccountMax: number
  /** By remote address and port, because a TLS socket and the TCP socket below it are different objects. */
  readonly #strangers = new Map<string, Socket>()
  readonly #owners = new WeakMap<Socket, string>()
  readonly #counts = new Map<string, number>()

  constructor(strangersMax: number, perAccountMax: number) {
    this.#strangersMax = strangersMax
    this.#perAccountMax = perAccountMax
  }

  /** A TCP connection came in. */
  connected(socket: Socket): void {
    const key = endpoint(socket)
    if (this.#strangers.size >= this.#strangersMax) {
      const [oldestKey, oldest] = this.#strangers.entries().next().value!
      this.#strangers.delete(oldestKey)
      oldest.destroy()
    }
    this.#strangers.set(key, socket)
    socket.once('close', () => {
      if (this.#strangers.get(key) === socket) this.#strangers.delete(key)
    })
  }

  /** A request on the socket proved to be of `accountId`; false when that account has too many sockets. */
  authenticated(socket: Socket, accountId: string): boolean {
    if (this.#owners.has(socket)) return true
    const count = this.#counts.get(accountId) ?? 0
    if (count >= this.#perAccountMax) return false
    this.#strangers.delete(endpoint(socket))
    this.#owners.set(socket, accountId)
    this.#counts.set(accountId, count + 1)
    socket.once('close', () => {
      const left = this.#counts.get(accountId)! - 1
      if (left === 0) this.#counts.delete(accountId)
      else this.#counts.set(accountId, left)
    })
    return true
  }
}

function endpoint(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
