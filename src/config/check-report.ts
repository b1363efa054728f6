import type { ConfigProblem } from './config-error.ts'

/** Collects what cross checks find. */
export interface CheckReport {
  problems: ConfigProblem[]
  /** Works, but is seldom meant. `path: text`. */
  warnings: string[]
}
