import { MONEY_KINDS } from './money-kinds.ts'
import type { SoakResult } from './soak.ts'

const PERCENTILES = [0.5, 0.99, 0.999, 1]

/** What was done, how long packets took, what was settled, and whether all is exact. */
export function printReport(result: SoakResult): void {
  const { actions, alarms, kept, kills, latencies, outcomes, problemCount, refused, rows } = result
  console.log(`\ndone: ${listed(actions) || 'nothing'}; verbs refused or unheard: ${refused}`)
  console.log(`kills: ${listed(kills)}; alarms with a cause: ${listed(alarms) || 'none'}`)
  console.log(`packets: ${listed(outcomes)}`)
  console.log('\nlatency of fulfilled packets, ms: count, p50, p99, p99.9, longest')
  for (const [phase, all] of latencies) {
    const sorted = all.toSorted((a, b) => a - b)
    const figures = PERCENTILES.map((share) => percentile(sorted, share).toFixed(1))
    console.log(`  ${[phase.padEnd(16), sorted.length, ...figures].join('  ')}`)
  }
  console.log(
    '\nnode, money: settlements paid and received (units of the account), balances, gain of the wallet (token)',
  )
  for (const { clearing, gained, kind, node, paid, received } of rows) {
    const { asset, mode, tokenScale } = MONEY_KINDS.find(({ name }) => name === kind)!
    console.log(
      `  ${node} ${kind} (${mode}, scale ${asset.scale} to ${tokenScale}): paid ${paid.count} (${paid.units}), ` +
        `received ${received.count} (${received.units}), balances ${clearing}, wallet ${gained}`,
    )
  }
  if (problemCount === 0) {
    console.log(
      '\nexact: packets, ledgers, journals, engine books, wallets and contract agree to the last unit',
    )
    return
  }
  console.log(`\n${problemCount} PROBLEMS`)
  for (const directory of kept) console.log(`  books and log of a node: ${directory}`)
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ')
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
