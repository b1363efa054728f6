import type { Logger } from '../../src/lib/logger.ts'
import type { ChainAlarmCode, RaiseAlarm } from './chain-alarm.ts'

/** Alarms remembered; beyond that, some are told again. */
const KEPT_MAX = 1_000

/** Raises an alarm once for each thing that it is about, not in each round. */
export class AlarmOnce {
  readonly #told = new Set<string>()
  readonly #deps: { readonly logger: Logger; readonly alarm: RaiseAlarm }

  constructor(deps: { readonly logger: Logger; readonly alarm: RaiseAlarm }) {
    this.#deps = deps
  }

  raise(code: ChainAlarmCode, about: string | number, fields: Record<string, unknown>): void {
    const key = `${code}:${about}`
    if (this.#told.has(key)) return
    if (this.#told.size >= KEPT_MAX) this.#told.clear()
    this.#told.add(key)
    this.#deps.logger.error('chain alarm', { code, ...fields })
    this.#deps.alarm(code, fields)
  }

  /** It is over: told anew when it comes again. */
  end(code: ChainAlarmCode, about: string | number): void {
    this.#told.delete(`${code}:${about}`)
  }

  /** An operator has seen them: what lasts is told again. */
  reset(): void {
    this.#told.clear()
  }
}
