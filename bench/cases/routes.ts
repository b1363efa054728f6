import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runRounds } from '../rounds.ts'
import { seedRoutes } from '../seed-routes.ts'
import { causeway } from '../subjects/causeway.ts'
import type { Subject } from '../subjects/subject.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { cpuGrowth } from './cpu-growth.ts'
import { closedWindow } from './windows.ts'

const ROUTES = [100, 100_000, 1_000_000]
/** Prefixes that packets go to when they are spread: more than the node remembers. */
const SPREAD_MAX = 100_000
const SPREAD_PREFIX = 'g.net'

/** The same traffic while the route table grows: to one peer, and to as many prefixes as there are. */
export async function routesCase({ rounds, seconds, say }: CaseOptions): Promise<CaseResult> {
  return await withTemporaryDirectory(async (directory) => {
    const contestants = ROUTES.flatMap((count) => {
      const path = join(directory, `routes-${count}.sqlite`)
      say(`writing ${count.toLocaleString('en')} routes`)
      seedRoutes({ path, prefixes: prefixes(count), peerId: 'payee0' })
      const prepareDirectory = (data: string) => copyFile(path, join(data, 'node.sqlite'))
      const title = `${count.toLocaleString('en')} routes`
      const node = causeway({ key: `routes-${count}`, title, prepareDirectory })
      const windows = [closedWindow(512, seconds)]
      return [
        { key: node.name, title, subject: node, pairs: 1, windows },
        {
          key: `${node.name}-spread`,
          title: `${title}, packets to ${spreadOf(count).toLocaleString('en')} of them`,
          subject: spread(node, count),
          pairs: 1,
          windows,
        },
      ]
    })
    const series = await runRounds(contestants, { rounds, say })
    const toOne = cpuGrowth(series.filter((_, index) => index % 2 === 0))
    const toMany = cpuGrowth(series.filter((_, index) => index % 2 === 1))
    return {
      name: 'routes',
      title: 'Routes',
      note: `One pair, 512 packets in flight. To 1,000 addresses of one peer; and, "spread", to addresses below as many prefixes as there are, up to ${SPREAD_MAX.toLocaleString('en')}, of which the address cache holds 65,536 at most.`,
      x: { label: 'routes', values: ROUTES.flatMap((count) => [count, count]) },
      series,
      facts: {
        ...toOne,
        ...Object.fromEntries(Object.entries(toMany).map(([name, value]) => [`spread-${name}`, value])),
      },
    }
  })
}

function spreadOf(count: number): number {
  return Math.min(count, SPREAD_MAX)
}

/** Prefixes with a number each: those that packets are spread over, and others of the same form. */
function* prefixes(count: number): Iterable<string> {
  const digits = digitsOf(count)
  for (let index = 0; index < count; index++) {
    const isSpread = index < spreadOf(count)
    yield isSpread
      ? `${SPREAD_PREFIX}.${String(index).padStart(digits, '0')}`
      : `g.far${index % 1_000}.node${index}`
  }
}

function digitsOf(count: number): number {
  return String(spreadOf(count) - 1).length
}

/** The subject with packets that go through the routes that were set, not through that of the payee's own address. */
function spread(subject: Subject, count: number): Subject {
  return {
    ...subject,
    start: async (setup) => {
      const running = await subject.start(setup)
      const addresses = { address: SPREAD_PREFIX, addressDigits: digitsOf(count) }
      const payees = running.ends.payees.map((payee) => ({ ...payee, ...addresses }))
      return { ...running, ends: { ...running.ends, payees } }
    },
  }
}
