import type { Output } from '../output.ts'
import type { Finding } from './finding.ts'

const MARKS = {
  ok: ['green', 'ok     '],
  warning: ['yellow', 'warning'],
  failed: ['red', 'FAILED '],
} as const

/** One line per finding, advice below it, and a verdict: `good` when none failed. */
export function renderFindings(findings: readonly Finding[], good: string, output: Output): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.map(({ check, status, message, fix }) => {
    const [colour, mark] = MARKS[status]
    const advice = fix === undefined ? '' : `\n${' '.repeat(width + 11)}${fix}`
    return `${output.paint(colour, mark)}  ${check.padEnd(width)}  ${message}${advice}`
  })
  const count = findings.filter(({ status }) => status === 'failed').length
  const verdict = count === 0 ? output.paint('green', good) : output.paint('red', `${count} to correct`)
  return `${lines.join('\n')}\n\n${verdict}`
}
