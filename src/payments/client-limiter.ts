import type { Clock } from '../lib/clock.ts'

/** Clients remembered; beyond it the one seen longest ago is forgotten. */
const CLIENTS_MAX = 10_000

interface Bucket {
  tokens: number
  atMs: number
}

/** A token bucket per client: `perSecond` sustained, `burst` at once. */
export class ClientLimiter {
  readonly #perSecond: number
  readonly #burst: number
  readonly #clock: Clock
  /** Insertion order is the order in which clients were last seen. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: { perSecond: number; burst: number }, deps: { clock: Clock }) {
    this.#perSecond = options.perSecond
    this.#burst = options.burst
    this.#clock = deps.clock
  }

  /** True when the client may go ahead; counts the request then. */
  take(address: string): boolean {
    const nowMs = this.#clock.now()
    const client = clientOf(address)
    const bucket = this.#buckets.get(client) ?? { tokens: this.#burst, atMs: nowMs }
    const elapsedMs = Math.max(0, nowMs - bucket.atMs)
    bucket.tokens = Math.min(this.#burst, bucket.tokens + (elapsedMs * this.#perSecond) / 1_000)
    bucket.atMs = nowMs
    this.#buckets.delete(client)
    this.#buckets.set(client, bucket)
    if (this.#buckets.size > CLIENTS_MAX) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest)
        break
      }
    }
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }
}

/** One IPv6 network of /64 is one client: whoever has one address of it has them all. */
function clientOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = '', tail] = address.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const tailGroups = tail === '' ? [] : tail.split(':')
    while (groups.length + tailGroups.length < 8) groups.push('0')
    groups.push(...tailGroups)
  }
  return groups.slice(0, 4).join(':')
}
