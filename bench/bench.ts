/**
 * Causeway beside others, in one run.
 *
 *     npm run bench -- [--only hop,accounts,…] [--contestants causeway-btp,bare-btp,…] [--rounds 3]
 *         [--seconds 4] [--quick] [--out bench/results/latest.json]
 *         [--plots docs/performance]
 */
import { accountsCase } from './cases/accounts.ts'
import type { CaseOptions, CaseResult } from './cases/case.ts'
import { connectionsCase } from './cases/connections.ts'
import { dataCase } from './cases/data.ts'
import { historyCase } from './cases/history.ts'
import { hopCase } from './cases/hop.ts'
import { ledgerCase } from './cases/ledger.ts'
import { memoryCase } from './cases/memory.ts'
import { overloadCase } from './cases/overload.ts'
import { profileCase } from './cases/profile.ts'
import { routesCase } from './cases/routes.ts'
import { startCase } from './cases/start.ts'
import { canReadProcesses } from './load/cpu-usage.ts'
import { type BenchOptions, parseOptions } from './options.ts'
import { type Report, writeJson } from './report/json.ts'
import { describeMachine, describeVersions, type Machine } from './report/machine.ts'
import { writePlots } from './report/plot.ts'
import { align, table } from './report/table.ts'
import { type Verdict, verdicts } from './report/verdicts.ts'

/** Above it something else runs on the machine. */
const LOAD_AVERAGE_QUIET = 0.7

const CASES: Readonly<Record<string, (options: CaseOptions) => Promise<CaseResult>>> = {
  hop: hopCase,
  accounts: accountsCase,
  routes: routesCase,
  history: historyCase,
  data: dataCase,
  connections: connectionsCase,
  ledger: ledgerCase,
  memory: memoryCase,
  start: startCase,
  overload: overloadCase,
  profile: profileCase,
}

try {
  await main(parseOptions(process.argv.slice(2), Object.keys(CASES)))
} catch (error) {
  console.error(`bench failed: ${(error as Error).message}`)
  process.exitCode = 1
}

async function main(options: BenchOptions): Promise<void> {
  const { only, out, plots, ...settings } = options
  const report: Report = {
    date: new Date().toISOString(),
    machine: describeMachine(),
    versions: describeVersions(),
    options: { only, ...settings },
    cases: [],
    verdicts: [],
  }
  introduce(report.machine)
  for (const name of only) {
    const say = (line: string) => console.log(`[${name}] ${line}`)
    const result = await CASES[name]!({ ...settings, say })
    console.log(`\n${table(result)}\n`)
    report.cases.push(result)
    report.verdicts = verdicts(report.cases)
    // After each case: should a later one fail, the hours before it are not lost.
    writeJson(out, report)
  }
  console.log(verdictTable(report.verdicts))
  console.log(`\nwritten to ${out}`)
  if (plots !== undefined) console.log(`drawn in ${plots}: ${writePlots(plots, report.cases).join(' ')}`)
  const wrong = wrongPackets(report.cases)
  if (wrong === 0) return
  console.error(`*** ${wrong} packets came back WRONG: the figures of this run stand for nothing.`)
  process.exitCode = 1
}

function introduce({ cores, cpuModel, kernel, node, loadAverageBefore }: Machine): void {
  console.log(`${cores} x ${cpuModel}, ${kernel}, node ${node}`)
  if (loadAverageBefore > LOAD_AVERAGE_QUIET) {
    const load = loadAverageBefore.toFixed(1)
    console.log(`*** THE MACHINE IS BUSY (load average ${load}): what others do will show in these figures.`)
  }
  if (canReadProcesses()) return
  console.log('*** NOT MEASURED: CPU and memory of the connectors; there is no /proc here to read them from.')
}

function verdictTable(judged: readonly Verdict[]): string {
  const rows = judged.map(({ claim, isMet, figure, target }) => [claim, isMet, figure, target])
  return align([['target', 'met', 'found', 'wanted'], ...rows]).join('\n')
}

/** Packets whose amount, condition, destination or fulfillment was not what it had to be. */
function wrongPackets(cases: readonly CaseResult[]): number {
  const results = cases.flatMap(({ series }) =>
    series.flatMap(({ windows }) => windows.flatMap((window) => window.results)),
  )
  return results.reduce((total, { failed }) => total + (failed.wrong ?? 0), 0)
}
