import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { expectExactBalances, isMadeGood } from './expect-exact-balances.ts'
import type { FlowPacket } from './packet-flow.ts'
import type { TwoAssetNode } from './two-asset-node.ts'

/** Load before the outage and after it, milliseconds. */
const LOAD_MS = 500
/** An answer that waits for the payer's own expiry comes with it, plus what timers and the two processes add. */
const EXPIRY_SLACK_MS = 500

export interface OutageOptions {
  /** Lifetime of packets, milliseconds. */
  expiresInMs: number
  begin(): void | Promise<void>
  end(): void | Promise<void>
}

/**
 * The books stop answering under load and come back: what every node owes its peers meanwhile and afterwards.
 * Returns a line for the log.
 */
export async function ridesOutAnOutage(scene: TwoAssetNode, options: OutageOptions): Promise<string> {
  const { node, flows } = scene
  const { expiresInMs } = options
  const ready = async () => (await node.get('/health/ready')).status
  const { pid } = node
  await Promise.all(flows.map((flow) => flow.connect()))
  for (const flow of flows) flow.begin()
  await delay(LOAD_MS)
  await waitFor('every flow hears answers', () => flows.every(({ heard }) => heard.length > 0))

  await options.begin()
  const stoppedAt = performance.now()
  await waitFor('readiness is false', async () => (await ready()) === 503, 20_000)
  const notReadyMs = Math.round(performance.now() - stoppedAt)
  // Load goes on until all that was in flight at the stop must have been answered.
  await delay(expiresInMs + EXPIRY_SLACK_MS)
  for (const flow of flows) {
    const refused = await flow.sendOne()
    expect(refused.outcome).toBe('T00')
    expect(refused.tookMs).toBeLessThan(expiresInMs / 2)
    expect((await flow.sendZero()).outcome).toBe('fulfilled')
  }
  expect(await ready()).toBe(503)
  await Promise.all(flows.map((flow) => flow.settled()))
  const heardBefore = flows.map(({ heard }) => heard.length)

  await options.end()
  const endedAt = performance.now()
  await waitFor('readiness is true again', async () => (await ready()) === 200, 30_000)
  const recoveredMs = Math.round(performance.now() - endedAt)
  expect(node.pid).toBe(pid)
  for (const flow of flows) flow.resume()
  await delay(LOAD_MS)
  await waitFor('every flow hears answers again', () =>
    flows.every(({ heard }, at) => heard.length > heardBefore[at]!),
  )
  await Promise.all(flows.map((flow) => flow.settled()))
  for (const [at, { heard }] of flows.entries()) expect(heard.length).toBeGreaterThan(heardBefore[at]!)

  await expectExactBalances(scene)
  await Promise.all(flows.map((flow) => flow.close()))
  const packets = flows.flatMap(({ sent }) => [...sent.values()])
  const counts = countOutcomes(packets)
  const allowed = new Set(['fulfilled', 'T00', 'T04', 'R00'])
  expect([...counts.keys()].filter((outcome) => !allowed.has(outcome))).toEqual([])
  expect(counts.get('T00')).toBeGreaterThan(0)
  const slowestMs = Math.round(packets.reduce((slowest, { tookMs }) => Math.max(slowest, tookMs!), 0))
  expect(slowestMs).toBeLessThan(expiresInMs + EXPIRY_SLACK_MS)
  const told = [...counts].map(([outcome, count]) => `${outcome} ${count}`).join(', ')
  return (
    `${packets.length} packets (${told}), made good ${packets.filter(isMadeGood).length}; slowest answer ` +
    `${slowestMs} of ${expiresInMs} ms; not ready after ${notReadyMs} ms, ready again after ${recoveredMs} ms`
  )
}

function countOutcomes(packets: FlowPacket[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { outcome } of packets) {
    const name = outcome ?? 'nothing'
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}
