import { runRounds } from '../rounds.ts'
import { causeway } from '../subjects/causeway.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { cpuGrowth } from './cpu-growth.ts'
import { closedWindow } from './windows.ts'

const PAIRS = [1, 8, 64]
const IN_FLIGHT_EACH = 64
const IN_FLIGHT_TOGETHER = 512

/** The same traffic over more and more connections. */
export async function connectionsCase({ rounds, seconds, say }: CaseOptions): Promise<CaseResult> {
  const contestants = PAIRS.map((pairs) => {
    const key = `connections-${pairs}`
    const title = `${pairs} ${pairs === 1 ? 'pair' : 'pairs'} of connections`
    const windows = [
      { ...closedWindow(IN_FLIGHT_EACH * pairs, seconds), name: 'each-64' },
      { ...closedWindow(IN_FLIGHT_TOGETHER, seconds), name: 'together-512' },
    ]
    return { key, title, subject: causeway({ key, title }), pairs, windows }
  })
  const series = await runRounds(contestants, { rounds, say })
  return {
    name: 'connections',
    title: 'Connections',
    note: 'Each pair is two accounts with a connection each. "each-64": every pair brings 64 packets in flight of its own. "together-512": 512 over all pairs, so that with 64 pairs each turn finds some 8 packets on a socket instead of 512, and the price of a read and a write in the kernel, some 10 microseconds together, is shared by few.',
    x: { label: 'pairs of connections', values: PAIRS },
    series,
    facts: cpuGrowth(series),
  }
}
