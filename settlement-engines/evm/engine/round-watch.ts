import type { Clock } from '../../../src/lib/clock.ts'

/** Longer than nodes and disks commonly need to be right again by themselves. */
const LONG_MS = 10 * 60_000

interface Failing {
  readonly sinceMs: number
  readonly lastMs: number
  readonly reason: string
  readonly isTold: boolean
}

export interface RoundWatchDeps {
  readonly clock: Clock
  readonly alarm: (code: 'rounds-fail', fields: Record<string, unknown>) => void
}

/** What fails in the rounds of an engine, and since when: for long is an alarm, once until it goes through again. */
export class RoundWatch {
  readonly #deps: RoundWatchDeps
  /** By part: a few names, and one per account. */
  readonly #failing = new Map<string, Failing>()
  #endedMs: number

  constructor(deps: RoundWatchDeps) {
    this.#deps = deps
    this.#endedMs = deps.clock.now()
  }

  /** @param failure why the part did not go through; undefined: it did */
  note(part: string, failure: string | undefined): void {
    if (failure === undefined) {
      this.#failing.delete(part)
      return
    }
    const now = this.#deps.clock.now()
    const before = this.#failing.get(part)
    // Nothing is known of the time in which it was not tried, or through which the clock jumped.
    const isNew = before === undefined || now - before.lastMs >= LONG_MS
    const sinceMs = isNew ? now : before.sinceMs
    const isLong = now - sinceMs >= LONG_MS
    const isTold = !isNew && before.isTold
    this.#failing.set(part, { sinceMs, lastMs: now, reason: failure, isTold: isTold || isLong })
    if (isLong && !isTold) {
      this.#deps.alarm('rounds-fail', { part, since: isoTime(sinceMs), reason: failure })
    }
  }

  /** A round has come to its end, whatever became of its parts. */
  ended(): void {
    this.#endedMs = this.#deps.clock.now()
  }

  /** What has failed for long, in words for operators; undefined: nothing. */
  get trouble(): string | undefined {
    const now = this.#deps.clock.now()
    if (now - this.#endedMs >= LONG_MS) return `no round has ended since ${isoTime(this.#endedMs)}`
    for (const [part, { lastMs, reason, sinceMs }] of this.#failing) {
      if (lastMs - sinceMs < LONG_MS || now - lastMs >= LONG_MS) continue
      return `${part}: has failed since ${isoTime(sinceMs)}: ${reason}`
    }
    return undefined
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
