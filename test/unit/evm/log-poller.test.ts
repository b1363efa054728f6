import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Chain } from '../../../settlement-engines/evm/chain.ts'
import { EngineStore } from '../../../settlement-engines/evm/engine-store.ts'
import { LogPoller, type LogPollerOptions } from '../../../settlement-engines/evm/log-poller.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { Anvil } from '../../support/anvil.ts'
import { JsonRpcProxy } from '../../support/json-rpc-proxy.ts'
import { waitFor } from '../../support/wait-for.ts'

/** Logs its call data, with the first 32 bytes as the topic. */
const LOGGING: Hex = '0x365f5f375f35365fa100'
const CONTRACT: Hex = '0x00000000000000000000000000000000c0de0001'
const TOO_MUCH = {
  kind: 'error',
  code: -32005,
  message: 'query returned more than 10000 results: narrow the block range of this request',
} as const
const EVENT: Hex = `0x${'ee'.repeat(32)}`

let anvil: Anvil
let proxy: JsonRpcProxy
let directory: string
let store: EngineStore
let chain: Chain
let alarms: string[]
let poller: LogPoller
let onLog: () => void

beforeEach(async () => {
  anvil = await Anvil.start()
  await anvil.setCode(CONTRACT, LOGGING)
  proxy = await JsonRpcProxy.start(anvil.url)
  directory = mkdtempSync(join(tmpdir(), 'causeway-evm-'))
  alarms = []
  onLog = () => undefined
  open()
  poller = make()
})
afterEach(async () => {
  close()
  await proxy.stop()
  await anvil.stop()
  rmSync(directory, { recursive: true, force: true })
})

function open(): void {
  store = new EngineStore(join(directory, 'evm.db'))
  store.start()
  store.database.exec('CREATE TABLE IF NOT EXISTS told (number INTEGER NOT NULL)')
  chain = new Chain(
    { urls: [proxy.url], chainId: 31_337, requestDeadlineMs: 1_000 },
    { logger: silentLogger },
  )
}

function close(): void {
  chain.stop()
  store.stop()
}

function make(change: Partial<LogPollerOptions> = {}): LogPoller {
  return new LogPoller(
    {
      name: 'credits',
      addresses: [CONTRACT],
      topics: [[EVENT]],
      fromBlock: 0,
      head: { kind: 'finalized' },
      pollMs: 0,
      ...change,
    },
    {
      chain,
      store,
      logger: silentLogger,
      alarm: (code) => alarms.push(code),
      onLog: ({ data }) => {
        store.database.prepare('INSERT INTO told VALUES (?)').run(Number(BigInt(`0x${data.slice(-8)}`)))
        onLog()
      },
    },
  )
}

function told(): number[] {
  return store.database
    .prepare('SELECT number FROM told ORDER BY rowid')
    .all()
    .map((row) => Number(row.number))
}

/** Each number in a block of its own. */
async function emit(...numbers: number[]): Promise<void> {
  const [from] = await anvil.rpc<Hex[]>('eth_accounts')
  for (const number of numbers) {
    const data = `${EVENT}${number.toString(16).padStart(64, '0')}`
    await anvil.rpc('eth_sendTransaction', { from, to: CONTRACT, data })
    await anvil.drain()
  }
}

describe('the log poller', () => {
  it('tells each log once, in order, when it is final', async () => {
    await emit(1, 2, 3)
    expect(await poller.poll()).toBe(true)
    expect(told()).toEqual([1])
    await anvil.mine(2)
    await poller.poll()
    await poller.poll()
    expect(told()).toEqual([1, 2, 3])
    expect(poller.lagBlocks).toBe(0)
  })

  it('goes on where it was, over a restart and a long gap', async () => {
    const small = { rangeBlocks: 3, overlapBlocks: 5 }
    poller = make(small)
    await emit(1, 2)
    await poller.poll()
    close()
    await emit(3)
    await anvil.mine(20)
    await emit(4, 5)
    await anvil.mine(130)
    await emit(6)
    await anvil.mine(2)
    open()
    poller = make(small)
    expect(await poller.poll()).toBe(false)
    expect(await poller.poll()).toBe(true)
    expect(told()).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('moves its cursor together with the effects, or not at all', async () => {
    await emit(1, 2)
    await anvil.mine(2)
    let calls = 0
    onLog = () => {
      if (++calls === 2) throw new Error('disk full')
    }
    expect(await poller.poll()).toBe(false)
    expect([told(), poller.block]).toEqual([[], undefined])
    await poller.poll()
    expect(told()).toEqual([1, 2])
  })

  it('never tells a log that a reorg removes before it is final', async () => {
    await emit(1)
    await anvil.reorg(1)
    await anvil.mine(4)
    await emit(2)
    await anvil.mine(2)
    await poller.poll()
    expect(told()).toEqual([2])
    expect(alarms).toEqual([])
  })

  it('stands still and alarms once when a block below its cursor is replaced', async () => {
    poller = make({ head: { kind: 'blocks', depth: 0 } })
    await emit(1)
    await anvil.mine(2)
    await poller.poll()
    const block = poller.block
    await anvil.reorg(3)
    await anvil.mine(2)
    expect(await poller.poll()).toBe(false)
    expect(await poller.poll()).toBe(false)
    expect(alarms).toEqual(['reorg'])
    expect(poller.fault).toContain('credits up to there may be gone')
    expect(poller.block).toBe(block)
  })

  it('asks for less when a node says that it is too much, and still finds everything', async () => {
    await emit(1, 2, 3, 4, 5, 6, 7, 8, 9)
    await anvil.mine(2)
    const spans: number[] = []
    proxy.plan = ({ method, params }) => {
      if (method !== 'eth_getLogs') return undefined
      const { fromBlock, toBlock } = params[0] as { fromBlock: string; toBlock: string }
      spans.push(Number(toBlock) - Number(fromBlock) + 1)
      const message = 'query returned more than 2 results'
      return spans.at(-1)! > 2 ? { kind: 'error', code: -32005, message } : undefined
    }
    expect(await poller.poll()).toBe(true)
    expect(told()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(Math.max(...spans)).toBeGreaterThan(2)
  })

  it.each([
    ['is larger than what is read', { kind: 'huge' }],
    ['comes too late', { kind: 'hang' }],
    ['would return more than 10000 results to this request', TOO_MUCH],
  ] as const)('asks for less when an answer %s', async (_, fault) => {
    await emit(1, 2, 3, 4, 5, 6)
    await anvil.mine(2)
    proxy.plan = ({ method, params }) => {
      if (method !== 'eth_getLogs') return undefined
      const { fromBlock, toBlock } = params[0] as { fromBlock: string; toBlock: string }
      return Number(toBlock) - Number(fromBlock) > 3 ? fault : undefined
    }
    for (let round = 0; round < 4 && told().length < 6; round++) await poller.poll()
    expect(told()).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('has the node pick by any topic, and believes no node that does not', async () => {
    const topics: (readonly Hex[] | null)[] = [null, [`0x${'AB'.repeat(32)}`]]
    poller = make({ topics })
    await emit(1)
    await anvil.mine(3)
    const filters: unknown[] = []
    proxy.plan = ({ method, params }) => {
      if (method === 'eth_getLogs') filters.push((params[0] as { topics: unknown }).topics)
      return undefined
    }
    expect(await poller.poll()).toBe(true)
    expect([filters[0], told()]).toEqual([[null, [`0x${'ab'.repeat(32)}`]], []])
    const logs = await anvil.rpc<object[]>('eth_getLogs', { fromBlock: '0x0', toBlock: 'latest' })
    proxy.failFirst('eth_getLogs', 99, { kind: 'result', result: logs })
    expect(await poller.poll()).toBe(false)
    expect(told()).toEqual([])
  })

  it('tells many logs of one block each once, though telling fails in the middle', async () => {
    await anvil.setAutomine(false)
    const [from] = await anvil.rpc<Hex[]>('eth_accounts')
    const numbers = Array.from({ length: 600 }, (_, index) => index)
    await Promise.all(
      numbers.map(async (number) => {
        const data = `${EVENT}${number.toString(16).padStart(64, '0')}`
        const nonce = `0x${number.toString(16)}`
        await anvil.rpc('eth_sendTransaction', { from, to: CONTRACT, data, gas: '0xea60', nonce })
      }),
    )
    await anvil.mine(4)
    let calls = 0
    onLog = () => {
      if (++calls === 400) throw new Error('disk full')
    }
    expect(await poller.poll()).toBe(false)
    expect([told().length, poller.block]).toEqual([250, undefined])
    await poller.poll()
    expect(told()).toEqual(numbers)
  })

  it('skips nothing while a node lags', async () => {
    await emit(1, 2, 3)
    await anvil.mine(4)
    await poller.poll()
    const block = poller.block
    await emit(4)
    await anvil.mine(4)
    proxy.lagBlocks = 6
    await poller.poll()
    expect([told(), poller.block]).toEqual([[1, 2, 3], block])
    proxy.lagBlocks = 0
    await poller.poll()
    expect(told()).toEqual([1, 2, 3, 4])
  })

  it('believes no "no logs" from a node that does not know the blocks', async () => {
    poller = make({ overlapBlocks: 0 })
    await emit(1)
    await anvil.mine(3)
    proxy.plan = ({ method, params }) => {
      if (method === 'eth_getLogs') return { kind: 'result', result: [] }
      const isByNumber = method === 'eth_getBlockByNumber' && String(params[0]).startsWith('0x')
      return isByNumber ? { kind: 'result', result: null } : undefined
    }
    expect(await poller.poll()).toBe(false)
    expect(poller.block).toBeUndefined()
    proxy.plan = () => undefined
    await poller.poll()
    expect(told()).toEqual([1])
  })

  it('finds later what a node behind a load balancer did not have', async () => {
    await emit(1)
    await anvil.mine(3)
    proxy.failFirst('eth_getLogs', 1, { kind: 'result', result: [] })
    await poller.poll()
    expect(told()).toEqual([])
    await poller.poll()
    expect(told()).toEqual([1])
  })

  it.each([
    ['a log of another contract', { address: '0x00000000000000000000000000000000000000aa' }],
    ['another event', { topics: [`0x${'dd'.repeat(32)}`] }],
    ['a block that was not asked for', { blockNumber: '0xffff' }],
    ['a log that was removed', { removed: true }],
    ['no block hash', { blockHash: null }],
    ['half a byte', { data: '0x123' }],
  ])('believes no node that tells %s', async (_, change) => {
    await emit(1)
    await anvil.mine(2)
    const [log] = await anvil.rpc<object[]>('eth_getLogs', { fromBlock: '0x0', toBlock: 'latest' })
    proxy.failFirst('eth_getLogs', 3, { kind: 'result', result: [{ ...log, ...change }] })
    expect(await poller.poll()).toBe(false)
    expect([told(), poller.block]).toEqual([[], undefined])
    await poller.poll()
    expect(told()).toEqual([1])
  })

  it('outlives cut connections, rate limits and rubbish', async () => {
    await emit(1)
    await anvil.mine(2)
    for (const kind of ['drop-request', 'drop-reply', 'rate-limit', 'rubbish'] as const) {
      proxy.failFirst('eth_getLogs', 99, { kind })
      expect(await poller.poll()).toBe(false)
    }
    proxy.plan = () => undefined
    await poller.poll()
    expect(told()).toEqual([1])
  })
})

describe('a running poller', () => {
  it('polls by itself until it is stopped', async () => {
    poller = make({ pollMs: 20, rangeBlocks: 2 })
    await emit(1, 2)
    await anvil.mine(150)
    poller.start()
    await waitFor('the logs', () => told().length === 2 && poller.lagBlocks === 0)
    await poller.stop()
    const block = poller.block
    await anvil.mine(10)
    expect(poller.block).toBe(block)
  })
})

describe('the poller for danger', () => {
  beforeEach(() => {
    poller = make({ name: 'danger', head: { kind: 'latest' } })
  })

  it('tells at first sight, and once while the block stays', async () => {
    await emit(1)
    await poller.poll()
    await poller.poll()
    expect(told()).toEqual([1])
  })

  it('tells again what a reorg moved into another block, at a height that it had passed', async () => {
    await anvil.mine(5)
    await emit(1)
    await poller.poll()
    await anvil.reorg(3)
    await emit(2)
    await poller.poll()
    expect(told()).toEqual([1, 2])
    expect(alarms).toEqual([])
  })

  it('misses nothing while it is down', async () => {
    await emit(1)
    await poller.poll()
    close()
    await emit(2)
    await anvil.mine(300)
    await emit(3)
    open()
    poller = make({ name: 'danger', head: { kind: 'latest' }, rangeBlocks: 50 })
    await poller.poll()
    expect(told()).toEqual([1, 2, 3])
  })
})
