import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../test/support/free-port.ts'
import { NodeProcess } from '../../test/support/node-process.ts'
import { median } from '../report/median.ts'
import { seedLedger } from '../seed-ledger.ts'
import type { CaseOptions, CaseResult } from './case.ts'

const TRANSFERS = [0, 10_000_000]
const STARTS_MIN = 5
const POLL_MS = 5
const START_DEADLINE_MS = 60_000
const ASSET = { code: 'USD', scale: 9 }
const IDS = ['payer0', 'payee0']

/** From the start of the process to the moment at which it says that it takes packets. */
export async function startCase({ rounds, say }: CaseOptions): Promise<CaseResult> {
  const nodes: NodeProcess[] = []
  const times = TRANSFERS.map((): number[] => [])
  try {
    for (const transfers of TRANSFERS) {
      const node = await createNode()
      nodes.push(node)
      if (transfers === 0) continue
      say(`writing ${transfers.toLocaleString('en')} past transfers`)
      const path = join(node.dataDirectory, 'ledger.sqlite')
      seedLedger({ path, packets: transfers, asset: ASSET, accountIds: IDS })
    }
    for (let start = 0; start < Math.max(rounds, STARTS_MIN); start++) {
      for (const [index, node] of nodes.entries()) {
        const tookMs = await startMs(node)
        say(`${TRANSFERS[index]!.toLocaleString('en')} past transfers: ${Math.round(tookMs)} ms`)
        times[index]!.push(tookMs)
      }
    }
  } finally {
    for (const node of nodes) await node.destroy()
  }
  return {
    name: 'start',
    title: 'Time to start',
    note: 'From the start of the process to the first 200 of /health/ready, two accounts, on an empty ledger and on one with ten million past transfers; each node was stopped in order before. The file is in the cache of the system.',
    series: [],
    facts: Object.assign({}, ...TRANSFERS.map((transfers, index) => factsOf(transfers, times[index]!))),
  }
}

function factsOf(transfers: number, times: readonly number[]): Record<string, number> {
  const { median: middle, min, max } = median(times)
  return {
    [`start${transfers}MedianMs`]: Math.round(middle),
    [`start${transfers}MinMs`]: Math.round(min),
    [`start${transfers}MaxMs`]: Math.round(max),
  }
}

async function createNode(): Promise<NodeProcess> {
  const port = await freePort()
  const peers = IDS.map((id) => ({
    id,
    relation: 'child',
    asset: ASSET,
    creditLimit: '1000000',
    link: { plugin: 'btp', mode: 'server', token: `secret:${id}` },
  }))
  const secrets = Object.fromEntries(IDS.map((id) => [id, `token-of-${id}-of-the-bench`]))
  const config = {
    node: { id: 'bench', environment: 'production', ilpAddress: 'g.bench' },
    plugins: { btp: { listen: { host: '127.0.0.1', port } } },
    peers,
  }
  return await NodeProcess.create(config, secrets)
}

async function startMs(node: NodeProcess): Promise<number> {
  const startedAt = performance.now()
  node.launch({ NODE_ENV: 'production' })
  const url = `http://127.0.0.1:${node.adminPort}/health/ready`
  while (!(await answers200(url))) {
    if (performance.now() - startedAt > START_DEADLINE_MS) throw new Error(`not ready:\n${node.output}`)
    await delay(POLL_MS)
  }
  const tookMs = performance.now() - startedAt
  node.signal('SIGTERM')
  await node.ended()
  return tookMs
}

async function answers200(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).status === 200
  } catch {
    return false
  }
}
