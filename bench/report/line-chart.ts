import { COLOURS, dot, figure, line, polyline, svg, text } from './svg.ts'

export interface ChartLine {
  label: string
  points: readonly { x: number; y: number }[]
}

export interface LineChartOptions {
  title: string
  xLabel: string
  yLabel: string
  lines: readonly ChartLine[]
  /** For what grows by factors; zero stands one step left of the smallest other value. */
  isXLogarithmic?: boolean
  /** A straight line through the first series, drawn dashed. */
  fit?: { slope: number; intercept: number; label: string }
}

const WIDTH = 860
const HEIGHT = 340
const MARGINS = { top: 46, right: 24, bottom: 52, left: 70 }
/** Above so many points dots only hide the line. */
const DOTS_MAX = 20
const Y_TICKS = 5
const X_TICKS_MAX = 10

/** Lines over a common axis; y begins at zero, so that growth is seen as large as it is. */
export function lineChart(options: LineChartOptions): string {
  const { title, xLabel, yLabel, lines, isXLogarithmic = false, fit } = options
  const all = lines.flatMap(({ points }) => points).filter(({ y }) => Number.isFinite(y))
  const x = xScale(
    all.map((point) => point.x),
    isXLogarithmic,
  )
  const top = Math.max(...all.map((point) => point.y), 1e-9) * 1.08
  const y = (value: number) =>
    HEIGHT - MARGINS.bottom - (value / top) * (HEIGHT - MARGINS.top - MARGINS.bottom)
  const body: string[] = []
  for (let tick = 0; tick <= Y_TICKS; tick++) {
    const value = (top / Y_TICKS) * tick
    body.push(line(MARGINS.left, y(value), WIDTH - MARGINS.right, y(value), 'grid'))
    body.push(text(MARGINS.left - 8, y(value) + 4, figure(value), 'muted', 'end'))
  }
  for (const tick of x.ticks)
    body.push(text(x.at(tick), HEIGHT - MARGINS.bottom + 18, figure(tick), 'muted', 'middle'))
  body.push(
    text(WIDTH - MARGINS.right, HEIGHT - 12, xLabel, 'muted', 'end'),
    text(12, HEIGHT - 12, yLabel, 'muted'),
  )
  lines.forEach(({ label, points }, index) => {
    const colour = index % COLOURS
    const placed = points
      .filter((point) => Number.isFinite(point.y))
      .map((point) => ({ x: x.at(point.x), y: y(point.y) }))
    body.push(polyline(placed, `line line${colour}`))
    if (placed.length <= DOTS_MAX)
      for (const point of placed) body.push(dot(point.x, point.y, 3.5, `dot${colour}`))
    const legendX = WIDTH - MARGINS.right - 220
    body.push(dot(legendX, 18 + index * 16, 4, `dot${colour}`), text(legendX + 10, 22 + index * 16, label))
  })
  if (fit !== undefined && all.length > 0) {
    const ends = [Math.min(...all.map((point) => point.x)), Math.max(...all.map((point) => point.x))]
    const placed = ends.map((value) => ({ x: x.at(value), y: y(fit.intercept + fit.slope * value) }))
    body.push(polyline(placed, 'fit'), text(12, 40, fit.label, 'muted'))
  }
  return svg({ width: WIDTH, height: HEIGHT, title, body })
}

function xScale(
  values: readonly number[],
  isLogarithmic: boolean,
): { at(value: number): number; ticks: number[] } {
  const distinct = [...new Set(values)].sort((a, b) => a - b)
  const positive = distinct.filter((value) => value > 0)
  const zeroAt = (positive[0] ?? 1) / 10
  const map = (value: number) => (isLogarithmic ? Math.log10(Math.max(value, zeroAt)) : value)
  const from = map(distinct[0] ?? 0)
  const to = map(distinct.at(-1) ?? 1)
  const width = WIDTH - MARGINS.left - MARGINS.right
  const at = (value: number) => MARGINS.left + (to === from ? 0.5 : (map(value) - from) / (to - from)) * width
  if (distinct.length <= X_TICKS_MAX) return { at, ticks: distinct }
  const step = 10 ** Math.floor(Math.log10(Math.max(to - from, 1e-9)))
  const ticks: number[] = []
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) ticks.push(tick)
  return { at, ticks }
}
