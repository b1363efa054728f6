import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { CaseResult } from '../../../bench/cases/case.ts'
import { barChart } from '../../../bench/report/bar-chart.ts'
import { lineChart } from '../../../bench/report/line-chart.ts'
import { plots, writePlots } from '../../../bench/report/plot.ts'
import { windowResult } from './window-result.ts'

const series = (key: string, names: string[]) => ({
  key,
  title: key,
  windows: names.map((name) => ({ name, results: [windowResult(), windowResult({ fulfilled: 3_000 })] })),
})

const HOP: CaseResult = {
  name: 'hop',
  title: 'One hop',
  series: [
    series('causeway <"&>', ['closed-512', 'closed-1', 'open-half']),
    series('bare', ['closed-512', 'closed-1']),
  ],
}

/** Fails unless every element is closed in order and no bare `&` or `<` is left. */
function expectWellFormed(svg: string): void {
  const open: string[] = []
  const rest = svg
    .replaceAll(/<style>[^<]*<\/style>/g, '')
    .replaceAll(
      /<(\/?)([a-z]+)((?:\s[a-zA-Z0-9:-]+="[^"<&]*")*)(\/?)>/g,
      (_, end: string, name: string, __, alone: string) => {
        if (end === '/') expect(open.pop()).toBe(name)
        else if (alone !== '/') open.push(name)
        return ''
      },
    )
  expect(open).toEqual([])
  expect(rest.replaceAll(/&(amp|lt|gt|quot);/g, '')).not.toMatch(/[<>&]/)
}

const count = (svg: string, element: string) => svg.split(`<${element} `).length - 1

describe('plots of the bench', () => {
  it('draws one bar for each value that was measured', () => {
    const bars = [
      { label: 'a', value: 10, min: 8, max: 12 },
      { label: 'b', value: Number.NaN },
      { label: 'c', value: 100_000, kind: 1 },
    ]
    for (const isLogarithmic of [true, false]) {
      const svg = barChart({ title: 'rates', unit: 'packets/s', bars, isLogarithmic })
      expectWellFormed(svg)
      expect(count(svg, 'rect')).toBe(2)
      expect(svg).toContain('100,000')
    }
  })

  it('makes longer bars for larger values', () => {
    const svg = barChart({
      title: 't',
      unit: 'u',
      bars: [1, 10, 100].map((value) => ({ label: 'x', value })),
      isLogarithmic: true,
    })
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]))
    expect(widths).toHaveLength(3)
    expect(widths[1]! - widths[0]!).toBeCloseTo(widths[2]! - widths[1]!, 0)
  })

  it('survives having nothing to show', () => {
    expectWellFormed(barChart({ title: 't', unit: 'u', bars: [] }))
    expectWellFormed(lineChart({ title: 't', xLabel: 'x', yLabel: 'y', lines: [] }))
    expect(lineChart({ title: 't', xLabel: 'x', yLabel: 'y', lines: [] })).not.toContain('NaN')
  })

  it('draws one line for each series and can show zero on a logarithmic axis', () => {
    const points = [0, 1_000, 10_000_000].map((x) => ({ x, y: x === 0 ? 5 : 6 }))
    const options = { title: 't', xLabel: 'transfers', yLabel: 'us', isXLogarithmic: true }
    const svg = lineChart({
      ...options,
      lines: [
        { label: 'a', points },
        { label: 'b', points },
      ],
    })
    expectWellFormed(svg)
    expect(count(svg, 'polyline')).toBe(2)
    expect(svg).not.toContain('NaN')
  })

  it('draws a hop: a bar per window of the closed loop, and the latencies of those that have them', () => {
    const made = new Map(plots([HOP]).map(({ name, svg }) => [name, svg]))
    for (const svg of made.values()) expectWellFormed(svg)
    expect(count(made.get('packets-per-second.svg')!, 'rect')).toBe(4)
    expect(count(made.get('cpu-per-packet.svg')!, 'rect')).toBe(2)
    expect(count(made.get('latency-one-in-flight.svg')!, 'rect')).toBe(6)
    expect(count(made.get('latency-half-load.svg')!, 'rect')).toBe(3)
  })

  it('draws a growth curve with a line per window and per variant of the same size', () => {
    const routes: CaseResult = {
      name: 'routes',
      title: 'Routes',
      x: { label: 'routes', values: [100, 100, 1_000, 1_000] },
      series: ['routes-100', 'routes-100-spread', 'routes-1000', 'routes-1000-spread'].map((key) =>
        series(key, ['closed-512']),
      ),
    }
    const [plot] = plots([routes])
    expect(plot!.name).toBe('growth-routes.svg')
    expectWellFormed(plot!.svg)
    expect(count(plot!.svg, 'polyline')).toBe(2)
    expect(count(plot!.svg, 'circle')).toBe(2 * 2 + 2)
  })

  it('draws samples with the line through them, and writes files', () => {
    const points = Array.from({ length: 50 }, (_, index) => ({ x: index / 5, y: 200 + (index % 3) }))
    const samples = { xLabel: 'million packets', yLabel: 'resident memory, MB', points }
    const directory = mkdtempSync(join(tmpdir(), 'causeway-plots-'))
    try {
      const written = writePlots(join(directory, 'new'), [
        { name: 'memory', title: 'Memory', series: [], samples },
      ])
      expect(written).toEqual(['memory.svg'])
      expect(readdirSync(join(directory, 'new'))).toEqual(written)
      const svg = readFileSync(join(directory, 'new', 'memory.svg'), 'utf8')
      expectWellFormed(svg)
      expect(count(svg, 'polyline')).toBe(2)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
