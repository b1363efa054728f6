import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CaseResult } from '../cases/case.ts'
import type { Series } from '../rounds.ts'
import { type Bar, barChart } from './bar-chart.ts'
import { lineChart } from './line-chart.ts'
import type { Spread } from './median.ts'
import { slope } from './slope.ts'
import { type Summary, summarize } from './summary.ts'

/** A file of a plot. */
export interface Plot {
  /** With `.svg`. */
  name: string
  svg: string
}

/** Warm-up that the line through memory leaves out, in units of x: see the memory case. */
const MEMORY_FIT_FROM = 2
const LATENCIES = [
  ['p50', (summary: Summary) => summary.p50Ms],
  ['p99', (summary: Summary) => summary.p99Ms],
  ['p99.9', (summary: Summary) => summary.p999Ms],
] as const

/** Writes the plots of a run into a directory, over those of the run before. Returns the names of the files. */
export function writePlots(directory: string, cases: readonly CaseResult[]): string[] {
  mkdirSync(directory, { recursive: true })
  const all = plots(cases)
  for (const { name, svg } of all) writeFileSync(join(directory, name), svg)
  return all.map(({ name }) => name)
}

/** All plots that the cases give, whichever of them ran. */
export function plots(cases: readonly CaseResult[]): Plot[] {
  return cases.flatMap((result) => {
    if (result.name === 'hop') return hopPlots(result)
    if (result.name === 'profile') return [profilePlot(result)]
    if (result.name === 'overload') return [overloadPlot(result)]
    if (result.samples !== undefined) return [samplesPlot(result)]
    return result.x === undefined ? [] : [growthPlot(result)]
  })
}

function hopPlots({ series }: CaseResult): Plot[] {
  const rate = (summary: Summary) => summary.packetsPerSecond
  const cpu = (summary: Summary) => summary.connectorCpuUs
  return [
    {
      name: 'packets-per-second.svg',
      svg: barChart({
        title: 'Packets per second over one hop, by packets in flight',
        unit: 'packets/s',
        bars: bars(series, 'closed-', rate),
        isLogarithmic: true,
      }),
    },
    {
      name: 'cpu-per-packet.svg',
      svg: barChart({
        title: 'CPU of the connector per packet, 512 in flight',
        unit: 'microseconds',
        bars: bars(series, 'closed-512', cpu),
        isLogarithmic: true,
      }),
    },
    latencyPlot('latency-one-in-flight.svg', 'Latency of one packet at a time', series, 'closed-1'),
    latencyPlot('latency-half-load.svg', 'Latency at half of its own highest rate', series, 'open-half'),
  ]
}

function latencyPlot(name: string, title: string, series: readonly Series[], window: string): Plot {
  const all = series.flatMap(({ key, windows }) => {
    const found = windows.find((each) => each.name === window)
    if (found === undefined) return []
    const summary = summarize(found.results)
    return LATENCIES.map(([label, read], kind) => bar(`${key}, ${label}`, read(summary), kind))
  })
  return { name, svg: barChart({ title, unit: 'milliseconds', bars: all, isLogarithmic: true }) }
}

/** One bar per series and window whose name begins so; each window has its colour. */
function bars(series: readonly Series[], window: string, read: (summary: Summary) => Spread): Bar[] {
  const names = [...new Set(series.flatMap(({ windows }) => windows.map(({ name }) => name)))]
  const wanted = names.filter((name) => name.startsWith(window))
  return series.flatMap(({ key, windows }) =>
    windows
      .filter(({ name }) => wanted.includes(name))
      .map(({ name, results }) => {
        const label = wanted.length > 1 ? `${key}, ${name.slice(window.length)} in flight` : key
        return bar(label, read(summarize(results)), wanted.indexOf(name))
      }),
  )
}

function bar(label: string, { median, min, max }: Spread, kind: number): Bar {
  return { label, value: median, min, max, kind }
}

/** CPU per packet over what grows: one line per window, and per variant where a value of x has several series. */
function growthPlot({ name, title, x, series }: CaseResult): Plot {
  const variants = new Map<string, { x: number; y: number }[]>()
  const seen = new Map<number | string, number>()
  series.forEach(({ key, windows }, index) => {
    const value = x!.values[index]!
    const variant = seen.get(value) ?? 0
    seen.set(value, variant + 1)
    for (const { name: window, results } of windows) {
      const label = variant === 0 ? window : `${window}, ${key.split('-').at(-1)}`
      const points = variants.get(label) ?? []
      variants.set(label, points)
      points.push({ x: Number(value), y: summarize(results).connectorCpuUs.median })
    }
  })
  const lines = [...variants].map(([label, points]) => ({ label, points }))
  const options = { xLabel: x!.label, yLabel: 'microseconds of CPU per packet', isXLogarithmic: true }
  return { name: `growth-${name}.svg`, svg: lineChart({ title, lines, ...options }) }
}

function samplesPlot({ name, title, samples }: CaseResult): Plot {
  const { xLabel, yLabel, points } = samples!
  const fitted = slope(points.filter((point) => point.x >= MEMORY_FIT_FROM))
  const label = `${fitted.slope.toFixed(3)} ± ${fitted.standardError.toFixed(3)} ${yLabel} per ${xLabel}`
  const fit = Number.isFinite(fitted.slope) ? { fit: { ...fitted, label } } : {}
  return {
    name: `${name}.svg`,
    svg: lineChart({ title, xLabel, yLabel, lines: [{ label: name, points }], ...fit }),
  }
}

function profilePlot({ title, facts = {} }: CaseResult): Plot {
  const stages = Object.entries(facts).filter(
    ([name, value]) => name.includes(' ') && typeof value === 'number',
  )
  const all = stages.map(([label, value]) => ({ label, value: Number(value) }))
  return { name: 'profile.svg', svg: barChart({ title, unit: 'microseconds per packet', bars: all }) }
}

function overloadPlot({ title, series }: CaseResult): Plot {
  const all = series.flatMap(({ windows }, kind) =>
    windows.map(({ name, results }) => bar(name, summarize(results).packetsPerSecond, kind)),
  )
  return { name: 'overload.svg', svg: barChart({ title, unit: 'fulfilled packets/s', bars: all }) }
}
