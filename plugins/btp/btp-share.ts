import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/logger.ts'
import type { PluginDeps } from '../../src/peers/link.ts'
import { FlushQueue } from './flush-queue.ts'
import type { BtpOptions } from './options.ts'
import { PagePool } from './page-pool.ts'
import type { ConnectionShare } from './web-socket-connection.ts'

/** A started link. */
export interface ShareMember {
  tick(elapsedMs: number): void
  stop(): Promise<void>
}

const TICK_MS = 1_000

/** What the links and the listener of one plugin have in common: memory, the flush at the end of a turn, one timer. */
export class BtpShare implements ConnectionShare {
  readonly pool = new PagePool()
  readonly queue = new FlushQueue()
  readonly pingIntervalMs: number
  readonly stallMsMax: number
  readonly authDeadlineMs: number
  readonly requestWindow: number
  readonly clock: Clock
  readonly logger: Logger
  readonly random: () => number
  /** Wall clock, read about every second: precise enough to forget by. */
  nowMs: number
  readonly #tickMs: number
  readonly #members = new Set<ShareMember>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: BtpOptions, deps: PluginDeps) {
    this.pingIntervalMs = options.pingIntervalMs
    this.stallMsMax = options.stallMsMax
    this.authDeadlineMs = options.authDeadlineMs
    this.requestWindow = options.requestWindow
    this.clock = deps.clock
    this.logger = deps.logger
    this.random = deps.random
    this.nowMs = deps.clock.now()
    this.#tickMs = Math.min(TICK_MS, options.pingIntervalMs, options.stallMsMax)
  }

  /** The timer runs while there is a member. */
  add(member: ShareMember): void {
    this.#members.add(member)
    if (this.#timer !== undefined) return
    this.nowMs = this.clock.now()
    this.#timer = setInterval(() => this.#tick(), this.#tickMs)
    this.#timer.unref()
  }

  remove(member: ShareMember): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Stops all links that are started. */
  async stopMembers(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.stop()))
  }

  #tick(): void {
    this.nowMs = this.clock.now()
    for (const member of this.#members) member.tick(this.#tickMs)
  }
}
