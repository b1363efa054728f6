import { randomInt } from 'node:crypto'
import { expect, it } from 'vitest'
import { soak } from '../soak/soak.ts'

const SEED = Number(process.env.CAUSEWAY_TEST_SEED ?? randomInt(2 ** 31))
const CHAOS_MS = 45_000
/** Few: the machine may be slow, and what happens is what counts. */
const PER_SECOND = 10
/** Far above what it takes, on a slow machine too: coming to rest waits for what peers repeat after minutes. */
const DEADLINE_MS = 600_000

it(
  'nodes that settle while everything happens to them end with exact books',
  async () => {
    console.info(`seed ${SEED} (CAUSEWAY_TEST_SEED repeats it)`)
    const lines: string[] = []
    const result = await soak({
      seed: SEED,
      nodes: 2,
      quietMs: 0,
      forMs: CHAOS_MS,
      perSecond: PER_SECOND,
      isCalm: false,
      say: (line) => {
        console.info(line)
        lines.push(line)
      },
    })
    const settled = result.rows.reduce((sum, { paid }) => sum + paid.count, 0)
    const kills = [...result.kills.values()].reduce((sum, count) => sum + count, 0)
    const fulfilled = result.outcomes.get('fulfilled') ?? 0
    const alarms = [...result.alarms].map(([alarm, count]) => `${alarm} ${count}`).join(', ') || 'none'
    console.info(
      `${fulfilled} packets, ${settled} settlements, ${kills} kills; alarms with a cause: ${alarms}`,
    )
    expect(result.problems, `seed ${SEED}\n${[...lines, ...result.kept].join('\n')}`).toEqual([])
    expect(result.problemCount).toBe(0)
    expect(settled).toBeGreaterThan(0)
    expect(kills).toBeGreaterThan(0)
  },
  DEADLINE_MS,
)
