import type { CaseResult } from '../cases/case.ts'
import type { Spread } from './median.ts'
import { type Summary, summarize } from './summary.ts'

const BYTES_PER_MB = 1_000_000
const HEADER = [
  '',
  'window',
  'packets/s',
  '(min-max)',
  'CPU us',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'RSS MB',
  'failed',
]

/** A case as a table for people: medians, and the spread of the rates. */
export function table(result: CaseResult): string {
  const rows = result.series.flatMap((series, index) => {
    const label = result.x === undefined ? series.key : `${series.key} (${result.x.values[index]})`
    return series.windows.map(({ name, results }, window) => [
      window === 0 ? label : '',
      name,
      ...figures(summarize(results)),
    ])
  })
  const facts = Object.entries(result.facts ?? {}).map(([name, value]) => `${name}: ${value}`)
  const lines = [`## ${result.title}`, ...(result.note === undefined ? [] : [result.note])]
  if (rows.length > 0) lines.push(...align([HEADER, ...rows]))
  return [...lines, ...facts].join('\n')
}

/** Columns side by side, the first two to the left and figures to the right. */
export function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

function figures(summary: Summary): string[] {
  const { packetsPerSecond, connectorRssBytes, failed } = summary
  const whole = (value: number) => (Number.isNaN(value) ? '-' : Math.round(value).toLocaleString('en-US'))
  const precise = ({ median }: Spread) => (Number.isNaN(median) ? '-' : median.toFixed(2))
  return [
    whole(packetsPerSecond.median),
    `${whole(packetsPerSecond.min)}-${whole(packetsPerSecond.max)}`,
    precise(summary.connectorCpuUs),
    precise(summary.p50Ms),
    precise(summary.p99Ms),
    precise(summary.p999Ms),
    whole(connectorRssBytes.median / BYTES_PER_MB),
    Object.entries(failed)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', '),
  ]
}
