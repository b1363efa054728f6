import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import type { Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SENDER_STEPS } from '../../../settlement-engines/evm/tx-sender.ts'
import { ANVIL_KEYS, Anvil } from '../../support/anvil.ts'
import { mulberry32 } from '../../support/mulberry32.ts'
import type { ChildOrder } from './sender-child.ts'

const CHILD = join(import.meta.dirname, 'sender-child.ts')
/** Kills of each step; seeds are told apart by where in its step each dies, and by what the last one left. */
const SEEDS = 15
const PAYMENTS_PER_CASE = 2
const MINE_PAUSE_MS = 25
const SEED = Number(process.env.CAUSEWAY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))

type Payment = ChildOrder['payments'][number]

/** One chain, one key, one data directory, and processes on it that die one after the other. */
interface Lane {
  readonly anvil: Anvil
  readonly directory: string
  readonly privateKey: Hex
  readonly payments: Payment[]
  kills: number
}

const lanes: Lane[] = []
let isMining = true
let mining: Promise<unknown>

beforeAll(async () => {
  for (const [index, noMining] of [false, true].entries()) {
    const anvil = await Anvil.start({ noMining })
    const directory = mkdtempSync(join(tmpdir(), 'causeway-evm-kill-'))
    lanes.push({ anvil, directory, privateKey: ANVIL_KEYS[index]!, payments: [], kills: 0 })
  }
  mining = Promise.all(lanes.map(({ anvil }) => keepMining(anvil)))
})
afterAll(async () => {
  isMining = false
  await mining
  for (const { anvil, directory } of lanes) {
    await anvil.stop()
    rmSync(directory, { recursive: true, force: true })
  }
})

async function keepMining(anvil: Anvil): Promise<void> {
  while (isMining) {
    await anvil.mine(1)
    await delay(MINE_PAUSE_MS)
  }
}

/** @returns whether the process was killed where it should be */
async function run(lane: Lane, crash: ChildOrder['crash']): Promise<boolean> {
  const { anvil, directory, privateKey } = lane
  const payments = crash === undefined ? lane.payments : lane.payments.slice(-2 * PAYMENTS_PER_CASE)
  const order: ChildOrder = { url: anvil.url, directory, privateKey, crash, payments }
  const child = spawn(process.execPath, [CHILD, JSON.stringify(order)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(directory, 'compile-cache') },
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the child ended with ${code}: ${errors}`)
  return signal === 'SIGKILL'
}

describe('a sender that is killed at every step', () => {
  it('loses nothing, doubles nothing and tells each outcome once', { timeout: 600_000 }, async () => {
    console.log(`seed ${SEED} (CAUSEWAY_TEST_SEED repeats it)`)
    const random = mulberry32(SEED)
    const cases = Array.from({ length: SEEDS }, () => SENDER_STEPS.map((step) => ({ step, draw: random() })))
      .flat()
      .sort((a, b) => a.draw - b.draw)
    const startedMs = performance.now()
    let nextCase = 0
    let nextPayment = 0
    await Promise.all(
      lanes.map(async (lane) => {
        // One that ends well leaves its compiled code to the others.
        await run(lane, undefined)
        for (let mine = nextCase++; mine < cases.length; mine = nextCase++) {
          for (let index = 0; index < PAYMENTS_PER_CASE; index++) {
            const number = ++nextPayment
            const to: Hex = `0x${(0xc0ffee00000000n + BigInt(number)).toString(16).padStart(40, '0')}`
            lane.payments.push({ purpose: `payment-${number}`, to, value: String(1_000 + number) })
          }
          const { step, draw } = cases[mine]!
          const count = 1 + (Math.floor(draw * 1_000) % PAYMENTS_PER_CASE)
          if (await run(lane, { step, count })) lane.kills++
        }
        expect(await run(lane, undefined)).toBe(false)
      }),
    )
    for (const lane of lanes) await expectExact(lane)
    const kills = lanes.reduce((sum, lane) => sum + lane.kills, 0)
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    console.log(`${kills} kills, ${nextPayment} payments, 0 lost, 0 doubled, ${seconds} s`)
    expect(kills).toBe(cases.length)
  })
})

async function expectExact({ anvil, directory, payments, privateKey }: Lane): Promise<void> {
  for (const { to, value } of payments) expect(await anvil.balance(to)).toBe(BigInt(value))
  const { privateKeyToAddress } = await import('viem/accounts')
  expect(await anvil.transactionCount(privateKeyToAddress(privateKey))).toBe(payments.length)
  const database = new DatabaseSync(join(directory, 'evm.db'))
  const told = database.prepare('SELECT purpose, kind FROM told ORDER BY purpose').all()
  database.close()
  const wanted = payments.map(({ purpose }) => ({ purpose, kind: 'succeeded' }))
  expect(told.map((row) => ({ ...row }))).toEqual(wanted.sort((a, b) => (a.purpose < b.purpose ? -1 : 1)))
}
