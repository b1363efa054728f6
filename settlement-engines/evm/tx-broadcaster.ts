import type { Clock } from '../../src/lib/clock.ts'
import type { AlarmOnce } from './alarm-once.ts'
import type { Chain } from './chain.ts'
import type { TxAttempt } from './tx-intent.ts'
import type { TxJournal } from './tx-journal.ts'

export interface TxBroadcasterDeps {
  readonly chain: Chain
  readonly journal: TxJournal
  readonly clock: Clock
  readonly alarms: AlarmOnce
  readonly sent: () => void
}

/** Hands stored transactions to the nodes. Nothing that they say decides whether one lands. */
export class TxBroadcaster {
  readonly #deps: TxBroadcasterDeps
  /** Nonces whose newest version a pool found too cheap: to be bumped without waiting. Bounded by the open nonces. */
  readonly #underpriced = new Set<number>()

  constructor(deps: TxBroadcasterDeps) {
    this.#deps = deps
  }

  isUnderpriced(nonce: number): boolean {
    return this.#underpriced.has(nonce)
  }

  /** The nonce is used, or has a new version. */
  forget(nonce: number): void {
    this.#underpriced.delete(nonce)
  }

  /** Sends the newest version; where it is refused, the ones before it, which may still stand in a pool. */
  async broadcast(nonce: number, attempts: readonly TxAttempt[]): Promise<void> {
    const { alarms, chain, clock, journal } = this.#deps
    for (const [index, attempt] of attempts.toReversed().entries()) {
      const answers = await chain.broadcast(attempt.raw, attempt.hash)
      this.#deps.sent()
      if (answers.includes('accepted') || answers.includes('known')) {
        journal.recordSent(attempt.hash, clock.now())
        return
      }
      if (index === 0) {
        if (answers.includes('underpriced')) this.#underpriced.add(nonce)
        if (answers.includes('no-funds')) alarms.raise('low-funds', nonce, { nonce })
        if (answers.every((answer) => answer === 'rejected')) alarms.raise('rejected', nonce, { nonce })
      }
      // No answer: what becomes of this version is not known, so the others wait.
      if (answers.includes('unknown') || answers.includes('nonce-used')) return
    }
  }
}
