import type { Clock } from '../lib/clock.ts'

/** Requests per window, per token subject (or per address where there is no token). */
export const RATE_CLASSES = {
  /** Reading: a dashboard that refreshes every second has room. */
  read: { limit: 600, windowMs: 60_000 },
  /** Changing the node. */
  write: { limit: 120, windowMs: 60_000 },
  /** Spending money. */
  payment: { limit: 60, windowMs: 60_000 },
  /** Work that is dear to the node: self-check, reload, pings. */
  diagnostic: { limit: 30, windowMs: 60_000 },
  /** Paths that do not exist, per address. */
  unmatched: { limit: 60, windowMs: 60_000 },
  /** Requests without a valid token, per address; past it, valid tokens from there wait as well. */
  authentication: { limit: 20, windowMs: 60_000 },
} as const satisfies Record<string, RateLimit>

export type RateClass = keyof typeof RATE_CLASSES

export interface RateLimit {
  limit: number
  windowMs: number
}

export interface RateVerdict {
  allowed: boolean
  limit: number
  remaining: number
  /** Unix time in seconds at which the window ends. */
  resetSeconds: number
  /** Whole seconds until then, at least 1. */
  retryAfterSeconds: number
}

/** Callers that are remembered, some 100 bytes each; the one unseen for longest is forgotten first. */
const ENTRIES_MAX = 10_000

interface Window {
  startedAtMs: number
  count: number
}

/** Fixed windows per caller and class, in bounded memory. */
export class RateLimiter {
  readonly #limits: Record<RateClass, RateLimit>
  readonly #clock: Clock
  readonly #windows = new Map<string, Window>()

  constructor(limits: Partial<Record<RateClass, RateLimit>>, clock: Clock) {
    this.#limits = { ...RATE_CLASSES, ...limits }
    this.#clock = clock
  }

  /** Counts a request of `caller` and says whether it may go on. */
  take(rateClass: RateClass, caller: string): RateVerdict {
    const window = this.#window(rateClass, caller)
    const allowed = window.count < this.#limits[rateClass].limit
    if (allowed) window.count++
    return this.#verdict(rateClass, window, allowed)
  }

  /** What {@link take} would say, without counting. */
  peek(rateClass: RateClass, caller: string): RateVerdict {
    const window = this.#window(rateClass, caller)
    return this.#verdict(rateClass, window, window.count < this.#limits[rateClass].limit)
  }

  #window(rateClass: RateClass, caller: string): Window {
    const key = `${rateClass} ${caller}`
    const nowMs = this.#clock.now()
    let window = this.#windows.get(key)
    const ageMs = nowMs - (window?.startedAtMs ?? 0)
    // A clock that was set back must not hold a caller off for longer than a window.
    if (window === undefined || ageMs < 0 || ageMs >= this.#limits[rateClass].windowMs) {
      window = { startedAtMs: nowMs, count: 0 }
    }
    // Deleted and set again: the map keeps the order of use.
    this.#windows.delete(key)
    this.#windows.set(key, window)
    if (this.#windows.size > ENTRIES_MAX) {
      const [oldest] = this.#windows.keys()
      this.#windows.delete(oldest as string)
    }
    return window
  }

  #verdict(rateClass: RateClass, window: Window, allowed: boolean): RateVerdict {
    const { limit, windowMs } = this.#limits[rateClass]
    const endsAtMs = window.startedAtMs + windowMs
    return {
      allowed,
      limit,
      remaining: Math.max(0, limit - window.count),
      resetSeconds: Math.ceil(endsAtMs / 1000),
      retryAfterSeconds: Math.max(1, Math.ceil((endsAtMs - this.#clock.now()) / 1000)),
    }
  }
}
