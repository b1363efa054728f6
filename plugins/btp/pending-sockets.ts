import ipaddr from 'ipaddr.js'

interface Pending {
  network: string
  timer: NodeJS.Timeout
  cut: () => void
}

/**
 * The sockets that have not logged in yet, bounded in number over all and per remote network, and in time. When a
 * bound is reached the oldest goes, not the newest: a sound client logs in within milliseconds, so a flood pushes out
 * its own idle sockets first and a peer still gets in.
 */
export class PendingSockets {
  readonly #max: number
  readonly #perNetworkMax: number
  readonly #deadlineMs: number
  /** By remote address and port, oldest first. */
  readonly #pending = new Map<string, Pending>()
  /** The keys above by network, oldest first. */
  readonly #networks = new Map<string, Set<string>>()

  constructor(options: { max: number; perNetworkMax: number; deadlineMs: number }) {
    this.#max = options.max
    this.#perNetworkMax = options.perNetworkMax
    this.#deadlineMs = options.deadlineMs
  }

  get size(): number {
    return this.#pending.size
  }

  /** `key` is unique among open sockets; `cut` ends this one. */
  add(key: string, address: string, cut: () => void): void {
    this.remove(key)
    const network = networkOf(address)
    const neighbours = this.#networks.get(network) ?? new Set<string>()
    if (neighbours.size >= this.#perNetworkMax) this.#cutOldest(neighbours)
    else if (this.#pending.size >= this.#max) this.#cutOldest(this.#pending)
    neighbours.add(key)
    this.#networks.set(network, neighbours)
    const timer = setTimeout(() => this.#cut(key), this.#deadlineMs)
    this.#pending.set(key, { network, timer, cut })
  }

  /** The socket has logged in or is gone. */
  remove(key: string): void {
    const pending = this.#pending.get(key)
    if (pending === undefined) return
    clearTimeout(pending.timer)
    this.#pending.delete(key)
    const neighbours = this.#networks.get(pending.network)
    neighbours?.delete(key)
    if (neighbours?.size === 0) this.#networks.delete(pending.network)
  }

  cutAll(): void {
    for (const key of [...this.#pending.keys()]) this.#cut(key)
  }

  #cutOldest(keys: Iterable<string> | Map<string, Pending>): void {
    const first = keys instanceof Map ? keys.keys().next() : keys[Symbol.iterator]().next()
    if (first.done !== true) this.#cut(first.value)
  }

  #cut(key: string): void {
    const pending = this.#pending.get(key)
    this.remove(key)
    pending?.cut()
  }
}

/** Who stands behind an address: IPv4 as it is, IPv6 by its first 64 bits, for one machine has all the rest. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return parsed.toByteArray().slice(0, 8).join('.')
}
