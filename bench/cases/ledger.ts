import { fork } from 'node:child_process'
import type { WindowResult } from '../load/load.ts'
import type { Series } from '../rounds.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { cpuGrowth } from './cpu-growth.ts'
import type { LedgerRun } from './ledger-process.ts'

const ACCOUNTS = [10, 1_000, 10_000]
const IN_FLIGHT = 512
const WARM_UP_MS = 1_000
/** Opening ten thousand accounts takes most of it. */
const DEADLINE_MS = 120_000

/** The ledger alone, with traffic among all of its accounts. */
export async function ledgerCase({ rounds, seconds, say }: CaseOptions): Promise<CaseResult> {
  const series: Series[] = ACCOUNTS.map((accounts) => ({
    key: `ledger-${accounts}`,
    title: `${accounts.toLocaleString('en')} accounts`,
    windows: [{ name: `closed-${IN_FLIGHT}`, results: [] }],
  }))
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < ACCOUNTS.length; turn++) {
      const index = (turn + round) % ACCOUNTS.length
      const accounts = ACCOUNTS[index]!
      const timing = { warmUpMs: WARM_UP_MS, measureMs: seconds * 1_000 }
      const result = await runLedger({ accounts, inFlight: IN_FLIGHT, ...timing })
      series[index]!.windows[0]!.results.push(result)
      const { fulfilled, connectorCpuUs } = result
      const rate = Math.round(fulfilled / result.seconds)
      say(`${accounts} accounts: ${rate} packets/s, ${(connectorCpuUs / fulfilled).toFixed(2)} us CPU each`)
    }
  }
  return {
    name: 'ledger',
    title: 'The ledger with traffic among all accounts',
    note: `Reserve and commit over the sqlite ledger, ${IN_FLIGHT} packets in flight, each from one account to another, both by chance: with ten accounts many packets become one transfer, with ten thousand hardly two do. CPU of both threads, no sockets.`,
    x: { label: 'accounts', values: ACCOUNTS },
    series,
    facts: cpuGrowth(series),
  }
}

/** Measures in a process of its own, so that no run finds the heap of another. */
function runLedger(run: LedgerRun): Promise<WindowResult> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./ledger-process.ts', import.meta.url), [JSON.stringify(run)], {
      serialization: 'advanced',
      timeout: DEADLINE_MS,
    })
    child.on('message', (result) => resolve(result as WindowResult))
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`the ledger's process ended with ${code ?? 'a signal'}`)))
  })
}
