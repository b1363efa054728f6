import { COLOURS, figure, line, rectangle, svg, text } from './svg.ts'

export interface Bar {
  label: string
  value: number
  /** Both ends of what was measured, drawn as a line over the bar. */
  min?: number
  max?: number
  /** Which colour; bars of one kind share one. Default: 0. */
  kind?: number
}

export interface BarChartOptions {
  title: string
  /** What the values are, e.g. `packets/s`. */
  unit: string
  bars: readonly Bar[]
  /** With a logarithmic axis differences of factors are seen. Default: linear, from zero. */
  isLogarithmic?: boolean
}

const WIDTH = 860
const LABEL_WIDTH = 330
const FIGURE_WIDTH = 80
const ROW_HEIGHT = 26
const BAR_HEIGHT = 16
const TOP = 46

/** Horizontal bars with their figures, in the order given. Values that were not measured are left out. */
export function barChart({ title, unit, bars, isLogarithmic = false }: BarChartOptions): string {
  const shown = bars.filter(({ value }) => Number.isFinite(value))
  const right = WIDTH - FIGURE_WIDTH
  const place = scaleOf(shown, isLogarithmic, right - LABEL_WIDTH)
  const body: string[] = []
  const bottom = TOP + shown.length * ROW_HEIGHT
  for (const tick of place.ticks) {
    const x = LABEL_WIDTH + place.at(tick)
    body.push(line(x, TOP - 4, x, bottom, 'grid'), text(x, bottom + 14, figure(tick), 'muted', 'middle'))
  }
  shown.forEach(({ label, value, min, max, kind = 0 }, index) => {
    const y = TOP + index * ROW_HEIGHT
    const middle = y + BAR_HEIGHT / 2
    const length = place.at(value)
    body.push(
      text(LABEL_WIDTH - 8, middle + 4, label, '', 'end'),
      rectangle(LABEL_WIDTH, y, length, BAR_HEIGHT, `bar${kind % COLOURS}`),
    )
    const end = LABEL_WIDTH + Math.max(length, max === undefined ? 0 : place.at(max))
    if (min !== undefined && max !== undefined) {
      body.push(line(LABEL_WIDTH + place.at(min), middle, LABEL_WIDTH + place.at(max), middle, 'spread'))
    }
    body.push(text(end + 6, middle + 4, figure(value)))
  })
  const axis = isLogarithmic ? `${unit}, logarithmic` : unit
  body.push(text(right, bottom + 32, axis, 'muted', 'end'))
  return svg({ width: WIDTH, height: bottom + 42, title, body })
}

function scaleOf(
  bars: readonly Bar[],
  isLogarithmic: boolean,
  width: number,
): { at(value: number): number; ticks: number[] } {
  const top = Math.max(...bars.map(({ value, max }) => Math.max(value, max ?? value)), 1e-9)
  if (!isLogarithmic) {
    const step = 10 ** Math.floor(Math.log10(top))
    const ticks = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((tick) => tick * step).filter((tick) => tick <= top)
    return { at: (value) => (value / top) * width, ticks }
  }
  const positive = bars.map(({ value, min }) => Math.min(value, min ?? value)).filter((value) => value > 0)
  const from = Math.floor(Math.log10(Math.min(...positive, top)))
  const to = Math.max(Math.ceil(Math.log10(top)), from + 1)
  const at = (value: number) => (Math.max(0, Math.log10(Math.max(value, 1e-9)) - from) / (to - from)) * width
  return { at, ticks: Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index)) }
}
