import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CaseResult } from '../cases/case.ts'
import type { Machine } from './machine.ts'
import { summarize } from './summary.ts'
import type { Verdict } from './verdicts.ts'

/** One run of the bench, as it is written to the file. Figures that could not be measured are null. */
export interface Report {
  /** ISO 8601. */
  date: string
  machine: Machine
  versions: Record<string, string>
  options: Record<string, unknown>
  cases: CaseResult[]
  verdicts: Verdict[]
}

/** Writes the report with every round, and median and spread beside them. */
export function writeJson(path: string, report: Report): void {
  const cases = report.cases.map((result) => ({
    ...result,
    series: result.series.map((series) => ({
      ...series,
      windows: series.windows.map((window) => ({ ...window, summary: summarize(window.results) })),
    })),
  }))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ ...report, cases }, undefined, 2)}\n`)
}
