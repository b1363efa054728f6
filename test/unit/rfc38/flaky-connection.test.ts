import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../compliance/seeded-random.ts'
import { waitFor } from '../../support/wait-for.ts'
import { ConnectorDouble } from './support/connector-double.ts'
import { EngineBench } from './support/engine-bench.ts'
import { EngineDouble } from './support/engine-double.ts'
import { FlakyProxy } from './support/flaky-proxy.ts'
import { account, order } from './support/orders.ts'
import { ServerBench } from './support/server-bench.ts'

const SETTLEMENTS = 1_000
/** The way back, at the same time. */
const CREDITS = 300
const DEADLINE_MS = 100_000

function seeded(): SeededRandom {
  const random = new SeededRandom(Number(process.env.RFC38_SEED ?? Date.now() & 0xffffffff))
  console.log(`rfc38 seed ${random.seed}`)
  return random
}

describe('a connection that loses, repeats, delays and reorders', { timeout: 2 * DEADLINE_MS }, () => {
  it('lets a thousand settlements at a foreign engine sum exactly, and the credits from it', async () => {
    const random = seeded()
    const foreign = new EngineDouble()
    await foreign.start()
    const there = new FlakyProxy(() => foreign.url, random)
    await there.start()
    const bench = new EngineBench({ url: there.url })
    await bench.engine.start()
    const back = new FlakyProxy(() => bench.engine.connectorUrl!, random)
    await back.start()
    const connector = new ConnectorDouble(9)
    try {
      await bench.engine.openAccount(account('alice'))
      bench.host.before = () => maybeThrow(random, 'before the booking')
      bench.host.after = () => maybeThrow(random, 'after the booking')
      const orders = Array.from({ length: SETTLEMENTS }, () => order(BigInt(1 + random.below(1_000_000_000))))
      const credits = Array.from({ length: CREDITS }, (_, index) => ({
        account: 'alice',
        key: `credit-${index}`,
        amount: BigInt(random.below(1_000_000_000)),
        scale: random.below(19),
      }))
      const crediting = connector.settleAll(back.url, credits, random)
      for (const next of orders) {
        await bench.engine.settle(next)
        if (random.below(5) === 0)
          await bench.engine.settle(random.pick(orders.slice(0, orders.indexOf(next) + 1)))
      }
      await crediting
      const isDone = () =>
        bench.host.settledOrders.size === SETTLEMENTS &&
        bench.host.credits.size === credits.filter(({ amount }) => amount > 0n).length
      await waitFor('everything to be settled and booked', isDone, DEADLINE_MS)
      await there.quiet()
      await back.quiet()

      const asked = orders.reduce((sum, { quantity }) => sum + quantity.amount, 0n)
      expect(foreign.total(9)).toBe(asked)
      expect(foreign.settlements.size).toBe(SETTLEMENTS)
      expect(foreign.conflicts).toBe(0)
      const told = credits.reduce((sum, { amount, scale }) => sum + amount * 10n ** BigInt(18 - scale), 0n)
      expect(bench.host.total(18)).toBe(told)
      const statement = () => bench.engine.statement('alice')
      await waitFor('the books of the engine to close', async () => (await statement()).open.amount === 0n)
      const { settled, credited } = await statement()
      expect(settled).toEqual({ amount: asked, scale: 9 })
      expect(credited.amount * 10n ** BigInt(18 - credited.scale)).toBe(told)
      expect(Math.min(...Object.values(there.counts))).toBeGreaterThan(0)
    } finally {
      await bench.destroy()
      await Promise.all([there.stop(), back.stop(), foreign.stop()])
    }
  })

  it('lets a thousand settlements for a foreign connector sum exactly, and the credits to it', async () => {
    const random = seeded()
    const directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-'))
    const connector = new ConnectorDouble(4)
    await connector.start()
    const back = new FlakyProxy(() => connector.url, random)
    await back.start()
    const bench = new ServerBench(directory, back.url)
    await bench.server.start()
    const there = new FlakyProxy(() => bench.server.url()!, random)
    await there.start()
    try {
      await fetch(`${bench.server.url()}/accounts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: 'alice' }),
      })
      bench.before = () => maybeThrow(random, 'before the order')
      bench.after = () => maybeThrow(random, 'after the order')
      bench.refuses = () => random.below(20) === 0
      const requests = Array.from({ length: SETTLEMENTS }, (_, index) => ({
        account: 'alice',
        key: `request-${index}`,
        amount: BigInt(random.below(1_000_000_000)),
        scale: random.below(13),
      }))
      const settling = connector.settleAll(there.url, requests, random)
      let earned = 0n
      for (let index = 0; index < CREDITS; index++) {
        const amount = BigInt(1 + random.below(1_000_000))
        earned += amount
        const credit = {
          id: `chain:${index}`,
          accountId: 'alice',
          assetCode: 'USD',
          quantity: { amount, scale: 6 },
          sender: undefined,
        }
        await bench.connector.credit(credit)
        if (random.below(5) === 0) await bench.connector.credit(credit)
      }
      await settling
      bench.refuses = () => false
      const asked = requests.reduce((sum, { amount, scale }) => sum + amount * 10n ** BigInt(12 - scale), 0n)
      const whole = asked / 10n ** 6n
      await waitFor('everything to be settled', () => bench.engine.settled() === whole, DEADLINE_MS)
      await waitFor('everything to be credited', () => connector.credits.size === CREDITS, DEADLINE_MS)
      await there.quiet()
      await back.quiet()

      expect(bench.engine.settled()).toBe(whole)
      const pending = bench.journal.pending('alice')
      expect(pending.amount * 10n ** BigInt(12 - pending.scale)).toBe(asked % 10n ** 6n)
      expect(connector.conflicts).toBe(0)
      const books = () => {
        const carried = bench.journal.carried('alice')
        return connector.total() * 100n + carried.amount * 10n ** BigInt(6 - carried.scale)
      }
      await waitFor('the last answer to arrive', () => books() === earned)
      expect(Math.min(...Object.values(there.counts))).toBeGreaterThan(0)
    } finally {
      await there.stop()
      await bench.server.stop()
      await Promise.all([back.stop(), connector.stop()])
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

function maybeThrow(random: SeededRandom, when: string): void {
  if (random.below(10) === 0) throw new Error(`lost ${when}`)
}
