import type { Connection } from 'ilp-protocol-stream'
import type { Clock } from '../lib/clock.ts'

/**
 * Connections kept of each kind, with and without money received. A connection may hold 64 KiB of a sender's data,
 * so this bounds an account to about 128 MiB in the worst case.
 */
const CONNECTIONS_MAX = 1_000
/** A connection that received nothing for so long is closed, milliseconds. STREAM senders reconnect by themselves. */
const IDLE_MAX_MS = 300_000
const SWEEP_INTERVAL_MS = 30_000

/**
 * Bounds the connections of a STREAM server: whoever holds one address can open any number of them, and those of
 * senders that never introduce themselves have no time limit of their own. Making room takes the one that is
 * longest without money, those that never paid only from among their kind.
 */
export class ConnectionKeeper {
  readonly #clock: Clock
  /** Insertion order is the order of the last money received. */
  readonly #paid = new Map<Connection, number>()
  readonly #fresh = new Map<Connection, number>()
  readonly #sweeper: NodeJS.Timeout

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS)
    this.#sweeper.unref()
  }

  get size(): number {
    return this.#paid.size + this.#fresh.size
  }

  /** A sender has connected. */
  add(connection: Connection): void {
    this.#fresh.set(connection, this.#clock.now())
    connection.once('close', () => {
      this.#fresh.delete(connection)
      this.#paid.delete(connection)
    })
    makeRoom(this.#fresh)
  }

  /** The connection received money. */
  paid(connection: Connection): void {
    // One that was let go is finishing its last packets.
    if (!this.#fresh.delete(connection) && !this.#paid.delete(connection)) return
    this.#paid.set(connection, this.#clock.now())
    makeRoom(this.#paid)
  }

  stop(): void {
    clearInterval(this.#sweeper)
    this.#paid.clear()
    this.#fresh.clear()
  }

  #sweep(): void {
    const idleSinceMs = this.#clock.now() - IDLE_MAX_MS
    for (const connections of [this.#fresh, this.#paid]) {
      for (const [connection, sinceMs] of connections) {
        if (sinceMs > idleSinceMs) break
        letGo(connections, connection)
      }
    }
  }
}

function makeRoom(connections: Map<Connection, number>): void {
  if (connections.size <= CONNECTIONS_MAX) return
  for (const oldest of connections.keys()) return letGo(connections, oldest)
}

function letGo(connections: Map<Connection, number>, connection: Connection): void {
  connections.delete(connection)
  // Telling the sender may fail; the connection is gone either way.
  connection.destroy().catch(() => undefined)
}
