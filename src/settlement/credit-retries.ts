import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { BackOff } from './back-off.ts'
import type { IncomingCredits } from './incoming-credits.ts'

const BACK_OFF = { firstMs: 1_000, maxMs: 60_000 }

export interface CreditRetriesDeps {
  credits: Pick<IncomingCredits, 'takeUp' | 'hasOpen'>
  clock: Clock
  logger: Logger
}

/** Finishes credits that a crash, or a ledger out of reach, left open: again and again until none is. */
export class CreditRetries {
  readonly #deps: CreditRetriesDeps
  readonly #backOff = new BackOff(BACK_OFF)
  #isNeeded = false
  #work: Promise<void> | undefined

  constructor(deps: CreditRetriesDeps) {
    this.#deps = deps
  }

  /** There may be one that is open. */
  needed(): void {
    this.#isNeeded = true
  }

  tick(nowMs: number): void {
    if (!this.#isNeeded || !this.#backOff.isDue(nowMs)) return
    this.#work ??= this.#takeUp().finally(() => {
      this.#work = undefined
    })
  }

  /** Resolves when nothing is being done. */
  async idle(): Promise<void> {
    await this.#work
  }

  /** Never rejects. */
  async #takeUp(): Promise<void> {
    const { clock, credits, logger } = this.#deps
    try {
      await credits.takeUp()
      this.#isNeeded = credits.hasOpen
      this.#backOff.succeeded()
    } catch (error) {
      this.#backOff.failed(clock.now())
      const reason = error instanceof Error ? error.message : String(error)
      logger.warn('credits wait for the ledger', { reason })
    }
  }
}
