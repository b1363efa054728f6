/**
 * Nodes that settle under load while everything happens to them; see docs/settlement.md.
 *
 *     node test/soak/run-soak.ts [--seed N] [--nodes 2|3] [--minutes M] [--calm]
 */
import { parseSoakArguments } from './parse-soak-arguments.ts'
import { printReport } from './print-report.ts'
import { soak } from './soak.ts'

const QUIET_MS = 20_000
/** Packets a second of each node in each kind of money. */
const PER_SECOND = 20

try {
  const { isCalm, minutes, nodes, seed } = parseSoakArguments(process.argv.slice(2))
  const what = isCalm ? 'calm' : 'everything happens'
  console.log(`seed ${seed}, ${nodes} nodes, ${minutes} minutes, ${what}`)
  const result = await soak({
    seed,
    nodes,
    isCalm,
    quietMs: QUIET_MS,
    forMs: minutes * 60_000,
    perSecond: PER_SECOND,
    say: (line) => console.log(line),
  })
  printReport(result)
  console.log(`seed ${seed} repeats it`)
  process.exitCode = result.problemCount === 0 ? 0 : 1
} catch (error) {
  console.error(`soak failed: ${(error as Error).message}`)
  process.exitCode = 1
}
