/** Deadline of one probe, milliseconds. */
export const PROBE_TIMEOUT_MS = 5_000

export interface ReachabilityOptions {
  failuresUntilDown: number
  probeMinMs: number
  probeMaxMs: number
}

export interface ReachabilityDeps {
  /** Uniform in [0, 1). */
  random: () => number
  /** Asks the peer for any HTTP response; resolves when there is one. */
  probe: () => Promise<void>
  /** The peer became reachable. */
  up: () => void
  /** The peer became unreachable. */
  down: (reason: string) => void
}

/**
 * Whether an HTTP peer counts as connected. HTTP has no connection to speak of, so the rule is: it is connected once it
 * gave any HTTP response, and until `failuresUntilDown` requests in a row found no connection or lost it before a
 * response began. A slow answer and a 5xx are answers of a peer that is there, and do not count. While disconnected
 * the peer is probed, with pauses that double up to `probeMaxMs` and vary by half, for ever.
 */
export class Reachability {
  readonly #options: ReachabilityOptions
  readonly #deps: ReachabilityDeps
  #running = false
  #up = false
  #failures = 0
  #pauseMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: ReachabilityOptions, deps: ReachabilityDeps) {
    this.#options = options
    this.#deps = deps
  }

  get up(): boolean {
    return this.#up
  }

  /** Why the last attempt failed; undefined after a success. */
  lastError: string | undefined

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#pauseMs = this.#options.probeMinMs
    this.#probe()
  }

  stop(): void {
    this.#running = false
    this.#up = false
    clearTimeout(this.#timer)
  }

  /** A response came. */
  succeeded(): void {
    this.#failures = 0
    if (!this.#running || this.#up) return
    this.#up = true
    this.lastError = undefined
    this.#pauseMs = this.#options.probeMinMs
    clearTimeout(this.#timer)
    this.#deps.up()
  }

  /** No connection, or it broke before a response. */
  failed(reason: string): void {
    if (!this.#running) return
    this.lastError = reason
    if (!this.#up) return
    this.#failures += 1
    if (this.#failures < this.#options.failuresUntilDown) return
    this.#up = false
    this.#failures = 0
    this.#schedule()
    this.#deps.down(reason)
  }

  #schedule(): void {
    const pauseMs = this.#pauseMs * (0.5 + this.#deps.random() / 2)
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#options.probeMaxMs)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#probe(), pauseMs)
    this.#timer.unref()
  }

  #probe(): void {
    this.#deps.probe().then(
      () => this.succeeded(),
      (error: unknown) => {
        if (!this.#running || this.#up) return
        this.lastError = error instanceof Error ? error.message : 'no answer'
        this.#schedule()
      },
    )
  }
}
