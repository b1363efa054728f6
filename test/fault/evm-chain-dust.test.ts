import { concat, type Hex, numberToHex, pad, size } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EvmEngineOptions } from '../../settlement-engines/evm/engine/evm-options.ts'
import { TRANSFER_EVENT } from '../../settlement-engines/evm/engine/transfers.ts'
import { ANVIL_KEYS } from '../support/anvil.ts'
import { RICH } from '../unit/evm-engine/engine-pair.ts'
import { FaultRig } from './support/fault-rig.ts'
import { type FaultySide, until } from './support/faulty-side.ts'

const ASSET = 'USD'
const PEER = privateKeyToAddress(ANVIL_KEYS[3]!).toLowerCase() as Hex
const DUST = 1_500
const DUST_PER_TX = 500

describe('tokens that arrive by themselves', () => {
  const rig = FaultRig.use()
  let side: FaultySide

  beforeAll(async () => {
    await rig.chain.mint(RICH, 1_000_000n)
    await rig.chain.mint(PEER, 1_000_000n)
  })
  beforeEach(async () => {
    await open({ rpcUrls: [rig.proxy.url] })
  })

  async function open(change: Partial<EvmEngineOptions>): Promise<void> {
    side = rig.side(0, { acceptTransfers: true, ...change })
    side.accountOptions = { mode: 'transfer', peerAddress: PEER }
    await side.open(ASSET)
  }

  const go = async (what: string, check: () => boolean) => await until(rig.chain.anvil, [side], what, check)
  const ofStrangers = () => [...side.credits.values()].filter(({ accountId }) => accountId === undefined)

  it('from a stranger are credited to nobody, once each, over restarts and lost answers', async () => {
    let told = 0
    const credit = side.credit.bind(side)
    side.credit = async (one) => {
      await credit(one)
      // The engine hears nothing of the first time.
      if (told++ === 0) throw new Error('the node ends here')
    }
    await rig.chain.payTokens(RICH, side.address, 5n)
    await rig.chain.payTokens(RICH, side.address, 5n)
    await rig.chain.payTokens(PEER, side.address, 70n)
    await go('credited', () => side.credits.size === 3)
    await side.restart(ASSET)
    for (let round = 0; round < 5; round++) {
      await rig.chain.anvil.mine()
      await side.engine.tick()
    }
    expect(ofStrangers().map(({ quantity, sender }) => [quantity.amount, sender])).toEqual([
      [5n, RICH.toLowerCase()],
      [5n, RICH.toLowerCase()],
    ])
    expect(side.creditedSum).toBe(80n)
    expect((await side.engine.statement('peer')).credited.amount).toBe(70n)
    expect(side.alarms).toEqual([])
  }, 60_000)

  it('are looked for by the node: those of others are never sent to us', async () => {
    const other = privateKeyToAddress(generatePrivateKey())
    const filters: { topics: unknown }[] = []
    rig.proxy.plan = ({ method, params }) => {
      if (method === 'eth_getLogs') filters.push(params[0] as { topics: unknown })
      return undefined
    }
    await rig.chain.payTokens(RICH, other, 9n)
    await rig.chain.payTokens(RICH, side.address, 1n)
    await go('credited', () => side.credits.size === 1)
    const topics = [[TRANSFER_EVENT], null, [pad(side.address)]]
    expect(filters.every((filter) => JSON.stringify(filter.topics) === JSON.stringify(topics))).toBe(true)
  }, 60_000)

  it('are credited for the chain that stays, when a reorg comes before they are final', async () => {
    const before = await rig.chain.tokenBalance(side.address)
    await rig.chain.payTokens(RICH, side.address, 11n)
    await side.engine.tick()
    expect(side.credits.size).toBe(0)
    await rig.chain.anvil.reorg(1)
    expect(await rig.chain.tokenBalance(side.address)).toBe(before)
    await rig.chain.payTokens(RICH, side.address, 13n)
    await go('credited', () => side.credits.size > 0)
    for (let round = 0; round < 5; round++) {
      await rig.chain.anvil.mine()
      await side.engine.tick()
    }
    expect(side.creditedSum).toBe((await rig.chain.tokenBalance(side.address)) - before)
    expect(side.alarms).toEqual([])
  }, 60_000)

  it('wait while a reorg reaches below what counted as final, with an alarm', async () => {
    await open({ finality: { kind: 'blocks', depth: 1 } })
    await rig.chain.payTokens(RICH, side.address, 11n)
    await rig.chain.anvil.mine(1)
    await side.engine.tick()
    await side.engine.tick()
    expect(side.credits.size).toBe(1)
    await rig.chain.anvil.reorg(4)
    await rig.chain.anvil.mine(6)
    await side.engine.tick()
    await rig.chain.payTokens(RICH, side.address, 11n)
    await rig.chain.anvil.mine(3)
    await side.engine.tick()
    expect(side.alarms).toContain('reorg')
    expect(side.credits.size).toBe(1)
  }, 60_000)

  it('by the thousand are credited to the last, without holding anything up', async () => {
    // Past the rig.proxy, whose work is not the engine's.
    side.rpcUrls = [rig.chain.anvil.url]
    await side.restart(ASSET)
    const code = await rig.chain.anvil.rpc<Hex>('eth_getCode', rig.chain.token, 'latest')
    await rig.chain.payTokens(RICH, side.address, 1n)
    await go('the first is credited', () => side.credits.size === 1)
    await rig.chain.anvil.setCode(rig.chain.token, dustCode(RICH, side.address))
    for (let sent = 0; sent < DUST; sent += DUST_PER_TX) {
      await rig.chain.anvil.rpc('eth_sendTransaction', {
        from: RICH,
        to: rig.chain.token,
        data: numberToHex(DUST_PER_TX, { size: 32 }),
        gas: numberToHex(25_000_000),
      })
      await rig.chain.anvil.mine(1)
    }
    await rig.chain.anvil.setCode(rig.chain.token, code)
    await rig.chain.payTokens(PEER, side.address, 70n)
    await rig.chain.anvil.mine(4)
    let longestMs = 0
    let lastMs = performance.now()
    const watch = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs)
      lastMs = performance.now()
    }, 1)
    const startMs = performance.now()
    await side.engine.tick()
    const tickMs = performance.now() - startMs
    await go("the peer's payment is credited", () => side.creditedSum - BigInt(side.credits.size) === 69n)
    const early = side.credits.size
    await go('all dust is credited', () => ofStrangers().length === DUST + 1)
    clearInterval(watch)
    console.log(
      `${DUST} transfers: ${tickMs.toFixed(0)} ms for the round that reads them, the event loop waited ${longestMs.toFixed(0)} ms at most`,
    )
    // Whoever is known does not queue behind strangers.
    expect(early).toBeLessThan(DUST / 4)
    expect(side.creditedSum).toBe(BigInt(DUST) + 71n)
  }, 60_000)
})

/** Code that logs as many transfers of one unit as its call data says. */
function dustCode(from: Hex, to: Hex): Hex {
  const push = (value: Hex): Hex => concat([numberToHex(0x5f + size(value), { size: 1 }), value])
  const head: Hex = concat(['0x5f35', '0x6001', '0x5f52'])
  const start = size(head)
  const body: Hex = concat([
    // A place to jump to, and the end when nothing is left.
    '0x5b80',
    '0x15',
    '0x60ff',
    '0x57',
    push(pad(to)),
    push(pad(from)),
    push(TRANSFER_EVENT),
    '0x6020',
    '0x5f',
    '0xa3',
    '0x6001',
    '0x90',
    '0x03',
    push(numberToHex(start, { size: 1 })),
    '0x56',
    '0x5b00',
  ])
  const end = start + size(body) - 2
  return concat([head, body.replace('60ff57', `60${end.toString(16).padStart(2, '0')}57`) as Hex])
}
