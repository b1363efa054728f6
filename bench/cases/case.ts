import type { Series } from '../rounds.ts'

export interface CaseOptions {
  /** Interleaved rounds of each contestant. */
  rounds: number
  /** Length of each measured window. */
  seconds: number
  /** Of the hop: keys of the contestants that take part. Default: all. */
  contestants?: readonly string[] | undefined
  /** Progress, for the person who waits. */
  say(line: string): void
}

/** What a case found. */
export interface CaseResult {
  /** Short and stable: the key in the JSON, and of `--only`. */
  name: string
  title: string
  /** What the reader must know to read the figures. */
  note?: string
  /** Of a growth curve: what grows, and its value for each of the series. */
  x?: { label: string; values: (number | string)[] }
  series: Series[]
  /** Figures that are no series: memory slope, start time and the like, the unit last in the name. */
  facts?: Record<string, number | string>
  /** Single measurements along one axis, for a plot of their own. */
  samples?: { xLabel: string; yLabel: string; points: { x: number; y: number }[] }
}
