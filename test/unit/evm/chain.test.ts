import { keccak256 } from 'viem'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Chain } from '../../../settlement-engines/evm/chain.ts'
import { publicClientOf } from '../../../settlement-engines/evm/public-client.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { Anvil } from '../../support/anvil.ts'
import { JsonRpcProxy } from '../../support/json-rpc-proxy.ts'

const CONTRACT = '0x00000000000000000000000000000000c0de0001'
/** Reverts whatever it is called with. */
const REVERTING = '0x60006000fd'

let anvil: Anvil
let proxy: JsonRpcProxy
let chain: Chain

beforeAll(async () => {
  anvil = await Anvil.start()
})
afterAll(async () => {
  await anvil.stop()
})
beforeEach(async () => {
  proxy = await JsonRpcProxy.start(anvil.url)
  chain = chainOf([proxy.url])
})
afterEach(async () => {
  chain.stop()
  await proxy.stop()
})

function chainOf(urls: readonly string[], chainId = 31_337): Chain {
  return new Chain({ urls, chainId, requestDeadlineMs: 300 }, { logger: silentLogger })
}

describe('chain id', () => {
  it('refuses to start on another chain', async () => {
    await expect(chainOf([anvil.url], 1).start()).rejects.toMatchObject({
      code: 'wrong-chain',
      message: expect.stringContaining('serves chain 31337, not 1'),
    })
  })

  it('refuses to start when one of several nodes serves another chain', async () => {
    proxy.failFirst('eth_chainId', 99, { kind: 'result', result: '0x1' })
    await expect(chainOf([anvil.url, proxy.url]).start()).rejects.toMatchObject({ code: 'wrong-chain' })
  })

  it('starts while one of two nodes is away, and fails when both are', async () => {
    await chainOf(['http://127.0.0.1:1', anvil.url]).start()
    await expect(chainOf(['http://127.0.0.1:1']).start()).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('asks a node for its chain again after a failure, and uses it no more when that changed', async () => {
    await chain.start()
    proxy.plan = ({ method }) =>
      method === 'eth_chainId'
        ? { kind: 'result', result: '0x5' }
        : method === 'eth_blockNumber'
          ? { kind: 'drop-request' }
          : undefined
    await expect(chain.probe(AbortSignal.timeout(5_000))).rejects.toMatchObject({ code: 'wrong-chain' })
    await expect(chain.balance(CONTRACT, 'latest')).rejects.toMatchObject({ code: 'wrong-chain' })
  })
})

describe('reads', () => {
  it.each(['drop-request', 'drop-reply', 'rate-limit', 'rubbish'] as const)(
    'try again after: %s',
    async (kind) => {
      proxy.failFirst('eth_getBlockByNumber', 2, { kind })
      expect((await chain.block('latest'))?.number).toBeGreaterThanOrEqual(0)
    },
  )

  it.each([
    ['drop-reply', 'unreachable'],
    ['rate-limit', 'rate-limited'],
    ['rubbish', 'bad-answer'],
  ] as const)('give up in the end with a clear error: %s is %s', async (kind, code) => {
    proxy.failFirst('eth_getBlockByNumber', 99, { kind })
    await expect(chain.block('latest')).rejects.toMatchObject({ name: 'ChainError', code })
    expect(proxy.seen.filter((method) => method === 'eth_getBlockByNumber')).toHaveLength(3)
  })

  it('give up a node that does not answer in time', async () => {
    proxy.failFirst('eth_getBalance', 99, { kind: 'delay', ms: 5_000 })
    await expect(chain.balance(CONTRACT, 'latest')).rejects.toMatchObject({ code: 'timeout' })
  })

  it.each([[{}], ['0x'], ['12'], [null], [7], [`0x${'f'.repeat(65)}`]])(
    'refuse a balance of %j',
    async (result) => {
      proxy.failFirst('eth_getBalance', 99, { kind: 'result', result })
      await expect(chain.balance(CONTRACT, 'latest')).rejects.toMatchObject({ code: 'bad-answer' })
    },
  )

  it('refuse a block of another number and a receipt of another transaction', async () => {
    const block = await anvil.rpc('eth_getBlockByNumber', '0x0', false)
    proxy.plan = ({ method }) => (method === 'eth_chainId' ? undefined : { kind: 'result', result: block })
    await expect(chain.block(5)).rejects.toMatchObject({ code: 'bad-answer' })
    await expect(chain.receipt(`0x${'ab'.repeat(32)}`)).rejects.toMatchObject({ code: 'bad-answer' })
  })

  it('move on to the next node', async () => {
    const both = chainOf([proxy.url, anvil.url])
    proxy.failFirst('eth_getBalance', 99, { kind: 'rubbish' })
    expect(await both.balance(CONTRACT, 'latest')).toBe(0n)
  })

  it('do not ask again what was refused, and stop when told to', async () => {
    proxy.failFirst('eth_getBalance', 99, { kind: 'error', code: -32602, message: 'no such block' })
    await expect(chain.balance(CONTRACT, 'latest')).rejects.toMatchObject({
      code: 'rpc-error',
      rpcCode: -32602,
    })
    expect(proxy.seen.filter((method) => method === 'eth_getBalance')).toHaveLength(1)
    chain.stop()
    await expect(chain.block('latest')).rejects.toMatchObject({ code: 'stopped' })
  })

  it('name only the host of a node, whose URL may hold a token', async () => {
    const secret = chainOf(['http://user:pass-canary@127.0.0.1:1/v3/path-canary'])
    const error = await secret.start().catch((reason: unknown) => reason)
    expect(String(error)).toContain('127.0.0.1:1')
    expect(String(error)).not.toContain('canary')
  })
})

describe('contracts', () => {
  it('are checked by the hash of their code', async () => {
    await anvil.setCode(CONTRACT, REVERTING)
    expect(await chain.checkCode(CONTRACT, keccak256(REVERTING))).toBe(keccak256(REVERTING))
    await expect(chain.checkCode(CONTRACT, keccak256('0x00'))).rejects.toMatchObject({ code: 'wrong-code' })
    await expect(chain.checkCode('0x00000000000000000000000000000000000000aa')).rejects.toMatchObject({
      code: 'wrong-code',
      message: expect.stringContaining('no contract'),
    })
  })

  it('can be read with viem over the same nodes and retries', async () => {
    await anvil.setCode(CONTRACT, REVERTING)
    const client = publicClientOf(chain)
    proxy.failFirst('eth_getBalance', 2, { kind: 'drop-reply' })
    expect(await client.getBalance({ address: CONTRACT })).toBe(0n)
    await expect(client.call({ to: CONTRACT, data: '0x12345678' })).rejects.toThrow(/revert/i)
  })
})

describe('broadcast', () => {
  it('goes to every node, and whatever they say is only an answer', async () => {
    const both = chainOf([proxy.url, anvil.url])
    const hash = `0x${'00'.repeat(32)}` as const
    proxy.failFirst('eth_sendRawTransaction', 1, { kind: 'drop-reply' })
    expect(await both.broadcast('0x1234', hash)).toEqual(['unknown', 'rejected'])
    proxy.failFirst('eth_sendRawTransaction', 1, { kind: 'error', code: -32000, message: 'nonce too low' })
    expect((await both.broadcast('0x1234', hash))[0]).toBe('nonce-used')
    proxy.failFirst('eth_sendRawTransaction', 1, { kind: 'result', result: `0x${'01'.repeat(32)}` })
    expect((await both.broadcast('0x1234', hash))[0]).toBe('unknown')
  })
})
