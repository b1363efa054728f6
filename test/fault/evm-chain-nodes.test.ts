import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Chain } from '../../settlement-engines/evm/chain.ts'
import { ChainError } from '../../settlement-engines/evm/chain-error.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { EngineConfigError, EngineUnavailableError, ResumeRefusedError } from '../../src/settlement/engine.ts'
import { Anvil } from '../support/anvil.ts'
import { type Fault, JsonRpcProxy } from '../support/json-rpc-proxy.ts'
import { waitFor } from '../support/wait-for.ts'
import { FaultRig } from './support/fault-rig.ts'
import { type FaultySide, until } from './support/faulty-side.ts'

/** The question that asks a token for them. */
const DECIMALS = '0x313ce567'

describe('several nodes', () => {
  let anvil: Anvil
  let first: JsonRpcProxy
  let second: JsonRpcProxy
  let chain: Chain

  beforeAll(async () => {
    anvil = await Anvil.start()
    await anvil.mine(50)
  })
  afterAll(async () => {
    await anvil.stop()
  })
  beforeEach(async () => {
    first = await JsonRpcProxy.start(anvil.url)
    second = await JsonRpcProxy.start(anvil.url)
    const urls = [first.url, second.url]
    chain = new Chain(
      { urls, chainId: 31_337, requestDeadlineMs: 3_000, surveyAgeMaxMs: 0 },
      { logger: silentLogger },
    )
    await chain.start()
  })
  afterEach(async () => {
    chain.stop()
    await first.stop()
    await second.stop()
  })

  const askedFor = (proxy: JsonRpcProxy, method: string) => proxy.seen.filter((one) => one === method).length

  it('are asked in their order while they keep up', async () => {
    first.lagBlocks = 3
    const newest = await anvil.blockNumber()
    expect((await chain.block('latest'))?.number).toBe(newest - 3)
    expect(askedFor(second, 'eth_getBlockByNumber')).toBe(0)
  })

  it('leave one that stands still for last, until it has caught up', async () => {
    first.lagBlocks = 30
    const newest = await anvil.blockNumber()
    expect((await chain.block('latest'))?.number).toBe(newest)
    second.plan = () => ({ kind: 'server-error' })
    expect((await chain.block('latest'))?.number).toBe(newest - 30)
    second.plan = () => undefined
    first.lagBlocks = 0
    await chain.block('latest')
    const before = askedFor(second, 'eth_getBlockByNumber')
    await chain.block('latest')
    expect(askedFor(second, 'eth_getBlockByNumber')).toBe(before)
  })

  it('leave a silent one for last: it costs no more than a look now and then', async () => {
    const urls = [first.url, second.url]
    const patient = new Chain({ urls, chainId: 31_337 }, { logger: silentLogger })
    await patient.start()
    first.plan = () => ({ kind: 'hang' })
    const before = first.seen.length
    for (let count = 0; count < 20; count++) await patient.block('latest')
    expect(first.seen.length - before).toBe(1)
    patient.stop()
  })

  it('do not wait for a silent one to take a transaction, and tell it all the same', async () => {
    const urls = [first.url, second.url]
    const patient = new Chain({ urls, chainId: 31_337, requestDeadlineMs: 600_000 }, { logger: silentLogger })
    await patient.start()
    first.plan = () => ({ kind: 'hang' })
    await patient.block('latest')
    const hash: Hex = `0x${'00'.repeat(32)}`
    for (let count = 0; count < 3; count++) {
      first.plan = ({ method }) => (method === 'eth_chainId' ? undefined : { kind: 'hang' })
      expect(await patient.broadcast('0x1234', hash)).toEqual(['unknown', 'rejected'])
    }
    await waitFor('the silent one is told', () => askedFor(first, 'eth_sendRawTransaction') > 0)
    patient.stop()
  })

  it('go on when one of them serves another chain by now', async () => {
    first.plan = ({ method }) => (method === 'eth_chainId' ? { kind: 'result', result: '0x1' } : undefined)
    const requests = [{ method: 'eth_blockNumber', params: [] }]
    await chain.together(requests, (values) => values)
    const before = first.seen.length
    await chain.block('latest')
    expect(first.seen.slice(before).every((method) => method === 'eth_chainId')).toBe(true)
  })
})

describe('two engines whose nodes are not to be relied on', () => {
  const rig = FaultRig.use()
  let payer: FaultySide
  let payee: FaultySide

  beforeAll(async () => {
    await rig.anvil.mine(100)
  })

  async function settled(id: string, amount: bigint): Promise<void> {
    await payer.settle(id, amount)
    await until(rig.anvil, [payer, payee], `${id} is settled`, () => payer.isSettled(id))
  }

  it('settle while the head goes back and forth, to the unit', async () => {
    const change = { rpcUrls: [rig.proxy.url] }
    ;[payer, payee] = await rig.peers({ payer: change, payee: change })
    let sum = 0n
    let round = 0
    for (const id of ['a', 'b', 'c', 'd']) {
      await payer.settle(id, 300_000n)
      sum += 300_000n
      await until(rig.anvil, [payer, payee], `${id} is settled`, () => {
        rig.proxy.lagBlocks = [0, 40, 2, 0, 15][round++ % 5]!
        return payer.isSettled(id)
      })
    }
    rig.proxy.lagBlocks = 0
    await until(rig.anvil, [payer, payee], 'credited', () => payee.creditedSum === sum)
    expect(payer.engine.channels()).toHaveLength(1)
    await until(rig.anvil, [payer, payee], 'the books fit the chain', async () => {
      const [out] = payer.engine.channels()
      return out!.deposit - out!.claimed === (await rig.anvil.balance(rig.chain.contract))
    })
    expect([...payer.alarms, ...payee.alarms]).toEqual([])
  }, 60_000)

  it('defend a channel though the first of two nodes stands still', async () => {
    ;[payer, payee] = await rig.peers()
    await settled('a', 400_000n)
    rig.proxy.stuckAt = await rig.anvil.blockNumber()
    await rig.anvil.mine(40)
    payee.rpcUrls = [rig.proxy.url, rig.anvil.url]
    await payee.restart()
    await settled('b', 1_000n)
    await until(rig.anvil, [payee], 'credited', () => payee.creditedSum === 401_000n)
    payer.other = undefined
    await payer.engine.operations.close(payer.engine.channels()[0]!.id)
    await until(rig.anvil, [payer, payee], 'defended', () => {
      return payee.engine.channels()[0]?.claimed === 401_000n
    })
    expect(payee.alarms).toContain('peer-closing')
  }, 60_000)

  it('defend a channel though their node has told of blocks far ahead', async () => {
    ;[payer, payee] = await rig.peers({ payee: { rpcUrls: [rig.proxy.url] } })
    await settled('a', 400_000n)
    const block = await rig.anvil.rpc<object>('eth_getBlockByNumber', 'latest', false)
    rig.proxy.plan = ({ method, params }) =>
      method === 'eth_getBlockByNumber' && !String(params[0]).startsWith('0x')
        ? { kind: 'result', result: { ...block, number: '0xfffffff' } }
        : undefined
    await payee.engine.tick()
    rig.proxy.plan = () => undefined
    payer.other = undefined
    await payer.engine.operations.close(payer.engine.channels()[0]!.id)
    await until(rig.anvil, [payer, payee], 'defended', () => {
      return payee.engine.channels()[0]?.claimed === 400_000n
    })
  }, 60_000)

  it('send nothing while their node leads to another chain, and go on when it is back', async () => {
    const other = await Anvil.start({ chainId: 5 })
    const change = { rpcUrls: [rig.proxy.url] }
    try {
      ;[payer, payee] = await rig.peers({ payer: change, payee: change })
      await settled('a', 1_000n)
      await other.setBalance(payer.address, 10n ** 18n)
      await other.mine(300)
      rig.proxy.target = other.url
      await payer.settle('b', 3_000_000n)
      for (let round = 0; round < 3; round++) {
        await other.mine()
        await payer.engine.tick()
        await payee.engine.tick()
      }
      expect(payer.isSettled('b')).toBe(false)
      expect(payer.alarms).toContain('wrong-chain')
      expect(payee.creditedSum).toBeLessThanOrEqual(1_000n)
      expect(await other.transactionCount(payer.address)).toBe(0)
      await expect(payer.engine.probe(AbortSignal.timeout(5_000))).rejects.toMatchObject({
        code: 'wrong-chain',
      })
      await expect(payer.restart()).rejects.toBeInstanceOf(EngineConfigError)
      rig.proxy.target = rig.anvil.url
      await payer.open()
      await until(rig.anvil, [payer, payee], 'b is settled', () => payer.isSettled('b'))
      await until(rig.anvil, [payer, payee], 'credited', () => payee.creditedSum === 3_001_000n)
    } finally {
      await other.stop()
    }
  }, 60_000)

  it('alarm when no new block is seen for long', async () => {
    ;[payer, payee] = await rig.peers()
    await payer.engine.tick()
    payer.aheadMs = 11 * 60_000
    await payer.engine.tick()
    await payer.engine.tick()
    expect(payer.alarms).toEqual(['stale-head'])
    expect(payer.engine.trouble()).toMatch(/^no node has shown a block above \d+ since /)
    await rig.anvil.mine()
    await payer.engine.tick()
    expect(payer.engine.trouble()).toBeUndefined()
  }, 60_000)

  it('alarm when a question that every round needs has no answer for long, though they answer a probe', async () => {
    ;[payer, payee] = await rig.peers({ payer: { rpcUrls: [rig.proxy.url] } })
    rig.proxy.plan = ({ method }) =>
      method === 'eth_getTransactionCount' ? { kind: 'error', code: -32603, message: 'down' } : undefined
    for (let minute = 0; minute < 11; minute++) {
      expect([payer.alarms, payer.engine.trouble()]).toEqual([[], undefined])
      payer.aheadMs += 60_000
      await rig.anvil.mine()
      await payer.engine.tick()
    }
    expect(payer.alarms).toEqual(['rounds-fail'])
    expect(payer.engine.trouble()).toMatch(/^transactions: has failed since .*: down/)
    await payer.engine.probe(AbortSignal.timeout(5_000))
    await expect(payer.engine.resume()).rejects.toBeInstanceOf(EngineUnavailableError)
    rig.proxy.plan = () => undefined
    await payer.engine.tick()
    expect(payer.engine.trouble()).toBeUndefined()
    await expect(payer.engine.resume()).rejects.toBeInstanceOf(ResumeRefusedError)
  }, 60_000)

  it.each<[string, Fault]>([
    ['a limit', { kind: 'error', code: -32005, message: 'limit exceeded' }],
    ['a fault of its own', { kind: 'error', code: -32603, message: 'internal error' }],
    ['rubbish', { kind: 'rubbish' }],
  ])(
    'find no fault in their configuration where a node answers a start with %s',
    async (_, fault) => {
      payer = rig.side(0, { rpcUrls: [rig.proxy.url] })
      rig.proxy.plan = ({ method, params }) =>
        method === 'eth_call' && (params[0] as { data: string }).data === DECIMALS ? fault : undefined
      const started = payer.open('USD').then(
        () => 'started',
        (error: unknown) => error,
      )
      expect(await started).toBeInstanceOf(ChainError)
      await payer.engine.stop()
      rig.proxy.plan = () => undefined
      await payer.open('USD')
    },
    60_000,
  )

  it('refuse to start where a node tells other decimals of a token than before', async () => {
    const asset = 'USD'
    const recipient: Hex = privateKeyToAddress(generatePrivateKey())
    payer = rig.side(0, { rpcUrls: [rig.proxy.url] })
    payer.accountOptions = { mode: 'transfer', peerAddress: recipient }
    await payer.open(asset)
    await payer.engine.stop()
    rig.proxy.plan = ({ method, params }) =>
      method === 'eth_call' && (params[0] as { data: string }).data === DECIMALS
        ? { kind: 'result', result: `0x${'12'.padStart(64, '0')}` }
        : undefined
    await expect(payer.open(asset)).rejects.toBeInstanceOf(EngineConfigError)
    await payer.engine.stop()
    rig.proxy.plan = () => undefined
    await payer.open(asset)
  }, 60_000)
})
