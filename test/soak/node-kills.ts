import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosAction, ChaosDeps } from './chaos-action.ts'
import type { SoakNode } from './soak-node.ts'

/** How long a node is away: most come back at once, some after their peers have noticed. */
const SHORT_MS = 500
const LONG_MS = 8_000
const TOGETHER_MS = 2_000

/** `kill -9` of one node, or of all of them, and a start on what they left. */
export const NODE_KILLS: readonly ChaosAction[] = [
  {
    name: 'kill',
    weight: 2,
    prepare: ({ problems, random, scene }) => {
      const node = random.pick(scene.nodes)
      const awayMs = random.below(random.below(4) === 0 ? LONG_MS : SHORT_MS)
      return async () => await killAndStart(node, awayMs, problems)
    },
  },
  {
    name: 'kill-all',
    weight: 1,
    prepare: ({ problems, random, scene }) => {
      const away = scene.nodes.map((node) => ({ node, awayMs: random.below(TOGETHER_MS) }))
      return async () => {
        await Promise.all(away.map(({ awayMs, node }) => killAndStart(node, awayMs, problems)))
      }
    },
  },
]

async function killAndStart(node: SoakNode, awayMs: number, problems: ChaosDeps['problems']): Promise<void> {
  if (!node.isUp) return
  await node.kill()
  await delay(awayMs)
  await node.start().catch((error: Error) => {
    problems.add(`node ${node.name} does not start after a kill`, error)
  })
}
