import { summarize } from '../report/summary.ts'
import type { Series } from '../rounds.ts'

/** By how much CPU per packet grows from the first of the series to the last, in percent, for each of their windows. */
export function cpuGrowth(series: readonly Series[]): Record<string, number> {
  const first = series[0]!
  const last = series.at(-1)!
  return Object.fromEntries(
    first.windows.map(({ name, results }, index) => {
      const from = summarize(results).connectorCpuUs.median
      const to = summarize(last.windows[index]!.results).connectorCpuUs.median
      return [`${name}CpuGrowthPercent`, Math.round((to / from - 1) * 1_000) / 10]
    }),
  )
}
