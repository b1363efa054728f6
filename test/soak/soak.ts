import { setTimeout as delay } from 'node:timers/promises'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { AlarmLog } from './alarm-log.ts'
import { Chaos } from './chaos.ts'
import type { ActionName } from './chaos-action.ts'
import { calmDown, closeChannels, comeToRest } from './coming-to-rest.ts'
import { compareFinalBooks, type FinalRow } from './final-books.ts'
import { PacketLoad } from './packet-load.ts'
import { ProblemLog } from './problem-log.ts'
import { busyTerms, SoakScene } from './soak-scene.ts'

export interface SoakOptions {
  readonly seed: number
  readonly nodes: 2 | 3
  /** Packets before anything settles, to compare with; 0 for none. */
  readonly quietMs: number
  /** How long things happen, or in a calm run how long it settles undisturbed. */
  readonly forMs: number
  /** Packets a second of each node in each kind of money. */
  readonly perSecond: number
  readonly isCalm: boolean
  say(line: string): void
}

export interface SoakResult {
  /** Empty when all is exact. */
  readonly problems: readonly string[]
  readonly problemCount: number
  /** What was done, how often. */
  readonly actions: ReadonlyMap<ActionName, number>
  readonly refused: number
  readonly kills: ReadonlyMap<string, number>
  /** By code: all of them had a cause. */
  readonly alarms: ReadonlyMap<string, number>
  readonly outcomes: ReadonlyMap<string, number>
  /** Milliseconds of fulfilled packets, by phase. */
  readonly latencies: ReadonlyMap<string, readonly number[]>
  readonly rows: readonly FinalRow[]
  /** Directories of the nodes with their logs; kept when there are problems. */
  readonly kept: readonly string[]
}

/** Before things happen, accounts have settled for this long. */
const SETTLED_BEFORE_MS = 5_000

/** Nodes exchange packets and settle while things happen to them; then all comes to rest and is compared. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { forMs, isCalm, nodes, perSecond, quietMs, say, seed } = options
  const startedAt = performance.now()
  const tell = (line: string) => say(`${((performance.now() - startedAt) / 1_000).toFixed(1)} s: ${line}`)
  const random = new SeededRandom(seed)
  const problems = new ProblemLog(tell)
  const scene = await SoakScene.create(nodes, random)
  const load = new PacketLoad(scene, { perSecond, random: new SeededRandom(random.below(2 ** 31)) })
  const chaos = new Chaos({ scene, problems, random })
  const alarms = new AlarmLog(problems, (action) => chaos.counts.has(action))
  for (const { name, process } of scene.nodes) process.onOutput = (chunk) => alarms.read(name, chunk)
  const begin = (phase: string) => {
    load.phase = phase
    tell(phase)
  }
  let rows: FinalRow[] = []
  let kept: string[] = []
  try {
    await Promise.all(scene.nodes.map(async (node) => await node.start()))
    begin('packets alone')
    await load.start()
    await delay(quietMs)
    begin('settling')
    for (const node of scene.nodes) await node.reload(() => busyTerms())
    await delay(isCalm ? forMs : SETTLED_BEFORE_MS)
    if (!isCalm) {
      begin('things happen')
      await chaos.run(forMs)
    }
    begin('coming to rest')
    await calmDown(scene)
    const unanswered = await load.stop()
    if (unanswered > 0) problems.add(`${unanswered} packets got no answer`)
    const restless = await comeToRest(scene)
    if (restless.length > 0) problems.add('it does not come to rest', restless)
    begin('closing all channels')
    chaos.note('close')
    const open = await closeChannels(scene)
    if (open.length > 0) problems.add('channels are not closed', open)
    const restlessAgain = await comeToRest(scene)
    if (restlessAgain.length > 0) problems.add('closing leaves something behind', restlessAgain)
    begin('comparing')
    rows = await compareFinalBooks(scene, load.packets, problems)
  } catch (error) {
    problems.add('the run ended early', error)
  } finally {
    await load.close()
    kept = await scene.destroy(problems.count > 0)
    tell('end')
  }
  return {
    problems: problems.list,
    problemCount: problems.count,
    actions: chaos.counts,
    refused: chaos.refused,
    kills: new Map(scene.nodes.map(({ kills, name }) => [name, kills])),
    alarms: alarms.counts,
    outcomes: load.outcomes(),
    latencies: load.latencies,
    rows,
    kept,
  }
}
