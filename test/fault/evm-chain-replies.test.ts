import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Fault } from '../support/json-rpc-proxy.ts'
import { mulberry32 } from '../support/mulberry32.ts'
import { FaultRig } from './support/fault-rig.ts'
import { type FaultySide, until } from './support/faulty-side.ts'

const SEND = 'eth_sendRawTransaction'
const SEED = Number(process.env.CAUSEWAY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STORM_ROUNDS = 30
/** Part of all questions that meet a fault. */
const STORM_SHARE = 0.12

const LOST: readonly Fault[] = [
  { kind: 'drop-reply' },
  { kind: 'drop-request' },
  { kind: 'rate-limit' },
  { kind: 'server-error' },
  { kind: 'rubbish' },
  { kind: 'truncated' },
]
const SAID: readonly Fault[] = [
  { kind: 'result', result: null },
  { kind: 'result', result: `0x${'11'.repeat(32)}` },
  { kind: 'error', code: -32603, message: 'internal error' },
  { kind: 'error', code: -32000, message: 'nonce too low' },
  { kind: 'error', code: -32000, message: 'replacement transaction underpriced' },
]
const RUBBISH: readonly unknown[] = [
  null,
  {},
  [],
  '0x',
  '-0x1',
  -1,
  1e308,
  true,
  `0x${'f'.repeat(64)}`,
  '0xffffffff',
  { number: '0x1' },
]

describe('an engine whose node loses and spoils answers', () => {
  const rig = FaultRig.use()
  let side: FaultySide
  let recipient: Hex

  beforeEach(async () => {
    recipient = privateKeyToAddress(generatePrivateKey())
    side = rig.side(0, { rpcUrls: [rig.proxy.url] })
    side.accountOptions = { mode: 'transfer', peerAddress: recipient }
    await side.open()
  })

  it.each([
    ['', false],
    [' and a restart follows', true],
  ])(
    'pays each order once when a broadcast fails%s',
    async (_, restarts) => {
      const before = await rig.anvil.transactionCount(side.address)
      let sum = 0n
      const ids: string[] = []
      for (const [index, fault] of [...LOST, ...SAID].entries()) {
        rig.proxy.failFirst(SEND, 2, fault)
        const [id, amount] = [`o${index}`, 1_000n + BigInt(index)]
        ids.push(id)
        sum += amount
        await side.settle(id, amount)
        await side.engine.tick()
        if (restarts) await side.restart()
        await side.settle(id, amount)
        await until(rig.anvil, [side], `${fault.kind}: ${id}`, () => side.isSettled(id))
      }
      expect(await rig.anvil.balance(recipient)).toBe(sum)
      expect(await rig.anvil.transactionCount(side.address)).toBe(before + ids.length)
      expect((await side.engine.statement('peer')).settled.amount).toBe(sum)
    },
    60_000,
  )

  it('pays each order once through a storm of faults in all methods', async () => {
    console.log(`seed ${SEED} (CAUSEWAY_TEST_SEED repeats it)`)
    const random = mulberry32(SEED)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
    const met = new Map<string, number>()
    rig.proxy.plan = ({ method }) => {
      if (random() >= STORM_SHARE) return undefined
      met.set(method, (met.get(method) ?? 0) + 1)
      const draw = random()
      if (draw < 0.5) return pick(LOST)
      if (method === SEND) return pick(SAID)
      return { kind: 'result', result: pick(RUBBISH) }
    }
    const before = await rig.anvil.transactionCount(side.address)
    let sum = 0n
    const ids: string[] = []
    for (let round = 0; round < STORM_ROUNDS; round++) {
      await rig.anvil.mine()
      if (round % 2 === 0) {
        const amount = 1_000n + BigInt(ids.length)
        await side.settle(`s${ids.length}`, amount)
        ids.push(`s${ids.length}`)
        sum += amount
      }
      await side.engine.tick()
      if (round % 8 === 7) {
        // A start needs answers; that it is refused without them is no harm.
        await side.engine.stop()
        const { plan } = rig.proxy
        rig.proxy.plan = () => undefined
        await side.open()
        rig.proxy.plan = plan
      }
    }
    rig.proxy.plan = () => undefined
    await until(rig.anvil, [side], 'all are settled', () => side.isSettled(...ids))
    expect(await rig.anvil.balance(recipient)).toBe(sum)
    expect(await rig.anvil.transactionCount(side.address)).toBe(before + ids.length)
    expect(met.size).toBeGreaterThan(4)
  }, 60_000)
})
