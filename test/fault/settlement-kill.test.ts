import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { type SettlingNode, SettlingNodes, START_MS } from '../support/settling-nodes.ts'
import { waitFor } from '../support/wait-for.ts'

const ROUNDS = 20
/** Traffic and settlements before a kill, milliseconds. */
const LOAD_MAX_MS = 1_500
const PAYMENT = '2000000'
const QUIET_MS = 120_000

const seed = Number(process.env.FAULT_SEED ?? randomInt(2 ** 31))
const random = new SeededRandom(seed)
const ENDED = ['settled', 'refused']

describe('two whole nodes that are killed while they settle over a chain', () => {
  let nodes: SettlingNodes
  const startedAt = performance.now()

  /** Begins a payment; the nodes may be killed under it. */
  const beginPayment = async (from: SettlingNode) => {
    await nodes.pay(from, PAYMENT).catch(() => undefined)
  }
  const open = async (node: SettlingNode) =>
    (await nodes.settlements(node, 'out')).filter(({ state }) => !ENDED.includes(state))

  /** What the payer of the node's incoming channels has signed for. */
  const promised = async (node: SettlingNode) => {
    const channels = (await nodes.channels(node)).filter(({ direction }) => direction === 'in')
    return channels.reduce((sum, one) => sum + BigInt(one.claimed) + BigInt(one.unclaimed), 0n)
  }

  beforeAll(async () => {
    nodes = await SettlingNodes.create({ threshold: '300000', maxAmount: '500000' })
    await nodes.start()
  }, 90_000)
  afterAll(async () => {
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    console.info(`kill -9 of settling nodes: ${ROUNDS} kills, seed ${seed}; ${seconds} s`)
    await nodes?.destroy()
  })

  it(`pays exactly what is credited over ${ROUNDS} kills at random moments`, async () => {
    const payments: Promise<void>[] = []
    for (let round = 0; round < ROUNDS; round++) {
      await nodes.connected()
      payments.push(beginPayment(nodes.both[round % 2]!))
      await delay(random.below(LOAD_MAX_MS))
      const victims = random.below(6) === 0 ? nodes.both : [nodes.both[random.below(2)]!]
      for (const { process } of victims) process.signal('SIGKILL')
      await Promise.all(victims.map(async ({ process }) => await process.ended()))
      await Promise.all(victims.map(async ({ process }) => await process.start({}, START_MS)))
    }
    await Promise.all(payments)
    const directions = [nodes.both, nodes.both.toReversed()] as [SettlingNode, SettlingNode][]
    for (const [payer, payee] of directions) {
      // Payments that outlived a kill may still make new settlements: what counts is that all agree in the end.
      const agreed = await waitFor(
        `what ${payer.name} paid, what was credited and what the channels promise agree, seed ${seed}`,
        async () => {
          const paid = await nodes.sum(payer, 'out')
          const isQuiet = (await open(payer)).length === 0
          return isQuiet && (await nodes.sum(payee, 'in')) === paid && (await promised(payee)) === paid
            ? paid
            : undefined
        },
        QUIET_MS,
      )
      expect(agreed, `seed ${seed}`).toBeGreaterThan(0n)
    }
    for (const { process } of nodes.both) {
      const report = await process.admin<{ discrepancies: unknown[]; unchecked: unknown[] }>(
        'POST',
        '/settlements/reconcile',
      )
      expect(report, `seed ${seed}`).toMatchObject({ discrepancies: [], unchecked: [] })
    }
  }, 600_000)
})
