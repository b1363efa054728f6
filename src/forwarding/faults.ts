import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type { Account } from './account.ts'
import type { NodeStats } from './node-stats.ts'
import { countFault, type FaultKind } from './stats.ts'

/**
 * Faults on the packet path: every one is counted, one per account and second is logged, so that a hostile peer
 * cannot fill the disk.
 */
export class Faults {
  readonly #deps: { stats: NodeStats; clock: Clock; logger: Logger }

  constructor(deps: { stats: NodeStats; clock: Clock; logger: Logger }) {
    this.#deps = deps
  }

  /** An operator should know of it. `message` is constant. */
  report(kind: FaultKind, message: string, account: Account, reason?: unknown): void {
    const { stats, clock, logger } = this.#deps
    const nowMs = clock.now()
    countFault(stats, { kind, severity: 'critical', nowMs })
    const suppressed = account.faultLog.take(nowMs)
    if (suppressed !== undefined) logger.error(message, { accountId: account.id, reason, suppressed })
  }

  /** An answer that is late, repeated or unknown. A Fulfill among them means that the peer's books differ from ours. */
  lateReply(account: Account, isFulfill: boolean): void {
    const { stats, clock, logger } = this.#deps
    stats.lateReplies++
    if (!isFulfill) return
    const suppressed = account.faultLog.take(clock.now())
    if (suppressed !== undefined) logger.warn('late fulfill dropped', { accountId: account.id, suppressed })
  }
}
