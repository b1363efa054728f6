import { randomInt } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ENGINE_STEPS } from '../../settlement-engines/evm/engine/engine-core.ts'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { ANVIL_KEYS } from '../support/anvil.ts'
import { freePort } from '../support/free-port.ts'
import { waitFor } from '../support/wait-for.ts'
import { EngineChain } from '../unit/evm-engine/engine-pair.ts'
import { EngineProcess } from './support/engine-process.ts'

const SEED = Number(process.env.CAUSEWAY_TEST_SEED ?? randomInt(2 ** 31))
/** Kills of each side at each step, each at another passing of it and on the books that the last one left. */
const KILLS_PER_STEP = 3
const SIDES = 2
const PASSES_MAX = 3
/** Of an order; a deposit lasts for some of them. */
const AMOUNT_MIN = 100
const AMOUNT_MAX = 900
const BOUNDS = { deposit: '3000', maxDepositPerChannel: '6000', totalBudget: '100000', claimAtValue: '4000' }
const MINE_PAUSE_MS = 40

let chain: EngineChain
let directory: string
let isMining = true
let mining: Promise<void>
const sides: EngineProcess[] = []

beforeAll(async () => {
  chain = await EngineChain.start()
  directory = mkdtempSync(join(tmpdir(), 'causeway-evm-engine-kill-'))
  const ports = [await freePort(), await freePort()]
  for (let index = 0; index < SIDES; index++) sides.push(makeSide(index, ports))
  mining = keepMining()
})
afterAll(async () => {
  for (const side of sides) await side.stop()
  isMining = false
  await mining
  await chain?.anvil.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function keepMining(): Promise<void> {
  while (isMining) {
    await chain.anvil.mine()
    await delay(MINE_PAUSE_MS)
  }
}

function makeSide(index: number, ports: number[]): EngineProcess {
  const own = join(directory, String(index))
  mkdirSync(own)
  const [fundingKeyFile, claimKeyFile] = [join(own, 'funding'), join(own, 'claim')]
  writeFileSync(fundingKeyFile, ANVIL_KEYS[index + 1]!, { mode: 0o600 })
  writeFileSync(claimKeyFile, String(index + 1).repeat(64), { mode: 0o600 })
  const options = {
    rpcUrls: [chain.anvil.url],
    chainId: chain.anvil.chainId,
    contract: chain.contract,
    keys: { fundingKeyFile, claimKeyFile },
    directory: join(own, 'books'),
    assets: { ETH: { token: 'native' as const, ...BOUNDS } },
    pollMs: 30,
  }
  const [port, peerPort] = index === 0 ? [ports[0]!, ports[1]!] : [ports[1]!, ports[0]!]
  return new EngineProcess(
    { options, directory: own, port, peerPort },
    { compileCache: join(directory, 'compile-cache') },
  )
}

describe('two engines that pay each other and are killed at every step', () => {
  it('lose nothing and double nothing', { timeout: 600_000 }, async () => {
    console.info(`seed ${SEED} (CAUSEWAY_TEST_SEED repeats it)`)
    const random = new SeededRandom(SEED)
    const cases = sides.map(() =>
      Array.from({ length: KILLS_PER_STEP }, () => ENGINE_STEPS)
        .flat()
        .map((step) => ({ step, count: 1 + random.below(PASSES_MAX), draw: random.below(2 ** 30) }))
        .sort((a, b) => a.draw - b.draw),
    )
    const startedMs = performance.now()
    let made = 0
    const order = () => {
      made++
      const amount = BigInt(AMOUNT_MIN + random.below(AMOUNT_MAX - AMOUNT_MIN))
      sides[made % SIDES]!.order(`order-${made}`, amount)
    }
    const openOrders = () => made - ended()
    let kills = 0
    // Both at once: each takes up what it finds, whether the other is there or not.
    await Promise.all(
      sides.map(async (side, index) => {
        for (const { count, step } of cases[index]!) {
          await side.start({ step, count })
          await side.dieOfWork(order, openOrders)
          kills++
        }
        await side.start(undefined)
      }),
    )
    await waitFor('all orders have ended', () => openOrders() === 0, 60_000)
    await waitFor('all is credited', () =>
      sides.every((_, index) => creditedTo(index) >= orderedBy(1 - index)),
    )
    for (const side of sides) await side.stop()
    for (const [index, side] of sides.entries()) {
      const { orders } = side.books()
      expect(orders.filter(({ state }) => state !== 'settled')).toEqual([])
      expect(new Map(orders.map(({ amount, id }) => [id, amount]))).toEqual(side.orders)
      expect(creditedTo(index)).toBe(orderedBy(1 - index))
    }
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    console.info(`${kills} kills, ${made} orders, 0 lost, 0 doubled, ${seconds} s`)
    expect(kills).toBe(ENGINE_STEPS.length * KILLS_PER_STEP * SIDES)
  })
})

function ended(): number {
  return sides.reduce(
    (sum, side) => sum + side.books().orders.filter(({ state }) => state === 'settled').length,
    0,
  )
}

function creditedTo(index: number): bigint {
  return sides[index]!.books().credits.reduce((sum, { amount }) => sum + amount, 0n)
}

function orderedBy(index: number): bigint {
  return [...sides[index]!.orders.values()].reduce((sum, amount) => sum + amount, 0n)
}
