import { afterAll, expect, it } from 'vitest'
import { canReadProcesses } from '../../bench/load/cpu-usage.ts'
import type { WindowResult } from '../../bench/load/load.ts'
import { LoadHandle } from '../../bench/load/load-handle.ts'
import { causeway } from '../../bench/subjects/causeway.ts'

/**
 * CPU of a whole node per packet over one BTP hop with durable books, microseconds. A quiet machine needs 5 to 6 and a
 * busy one twice that: a change that passes this budget has made the packet path several times dearer. It is CPU time and
 * not time on the clock, so that a slow or crowded machine does not fail it. docs/performance.md has the real figures.
 */
const BUDGET_US = 30
const AMOUNT = 1_000_000
/** The cheapest counts: what others do on the machine only ever adds. */
const WINDOWS = 3

const cleanUps: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
})

if (!canReadProcesses())
  console.warn('*** NOT GUARDED: CPU per packet; there is no /proc here to read it from.')

it.runIf(canReadProcesses())('a packet costs no more CPU than its budget', { timeout: 60_000 }, async () => {
  const running = await causeway({ key: 'guard', title: 'CPU guard' }).start({ pairs: 1 })
  cleanUps.push(() => running.stop())
  const load = new LoadHandle()
  cleanUps.push(() => load.stop())
  await load.connect(running.ends, AMOUNT)
  const results: WindowResult[] = []
  for (let window = 0; window < WINDOWS; window++) {
    const result = await load.run({
      pace: { kind: 'closed', inFlight: 512 },
      warmUpMs: 1_000,
      measureMs: 1_000,
      dataBytes: 256,
      expiresInMs: 30_000,
      pids: running.pids,
    })
    expect(result.failed).toEqual({})
    results.push(result)
  }
  await load.disconnect()
  const cheapestUs = Math.min(...results.map(({ connectorCpuUs, fulfilled }) => connectorCpuUs / fulfilled))
  console.log(`CPU per packet: ${cheapestUs.toFixed(2)} us of a budget of ${BUDGET_US} us`)
  expect(cheapestUs).toBeGreaterThan(0.5)
  expect(cheapestUs).toBeLessThan(BUDGET_US)
})
