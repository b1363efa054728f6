import fc from 'fast-check'
import { encodeFunctionResult } from 'viem'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Chain } from '../../settlement-engines/evm/chain.ts'
import { ChainError } from '../../settlement-engines/evm/chain-error.ts'
import { settlementChannelsAbi } from '../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { ChannelContract } from '../../settlement-engines/evm/engine/channel-contract.ts'
import { hasTooManyParts } from '../../settlement-engines/evm/has-too-many-parts.ts'
import {
  toBlock,
  toFeeMarket,
  toLog,
  toReceipt,
  toTransaction,
} from '../../settlement-engines/evm/rpc-answers.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { Anvil } from '../support/anvil.ts'
import { JsonRpcProxy } from '../support/json-rpc-proxy.ts'

const HASH = `0x${'ab'.repeat(32)}` as const
const ADDRESS = `0x${'cd'.repeat(20)}` as const
const LOG = {
  address: ADDRESS,
  topics: [HASH],
  data: '0x12',
  blockNumber: '0x5',
  blockHash: HASH,
  transactionHash: HASH,
  logIndex: '0x0',
}
const GOOD = {
  block: { number: '0x5', hash: HASH, parentHash: HASH, timestamp: '0x6', baseFeePerGas: '0x7' },
  log: LOG,
  receipt: {
    transactionHash: HASH,
    blockNumber: '0x5',
    blockHash: HASH,
    status: '0x1',
    gasUsed: '0x5208',
    effectiveGasPrice: '0x9',
    logs: [LOG],
  },
  transaction: { hash: HASH, from: ADDRESS, nonce: '0x1', blockNumber: '0x5', blockHash: HASH },
  fees: { baseFeePerGas: ['0x1', '0x2'], reward: [['0x1', '0x2']] },
}
const readers: readonly [string, object, (value: unknown) => unknown][] = [
  ['block', GOOD.block, toBlock],
  ['log', GOOD.log, toLog],
  ['receipt', GOOD.receipt, (value) => toReceipt(value, HASH)],
  ['transaction', GOOD.transaction, toTransaction],
  ['fee history', GOOD.fees, (value) => toFeeMarket(value, 5)],
]
const rubbish = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    null,
    '0x',
    '-0x1',
    -1,
    1e308,
    true,
    `0x${'f'.repeat(64)}`,
    `0x${'f'.repeat(65)}`,
    '0xfffffffffffff',
  ),
)

/** Numbers that are no amounts are exact, amounts are not negative, texts are hexadecimal. */
function expectSound(value: unknown): void {
  if (typeof value === 'number') expect(Number.isFinite(value) && value >= 0).toBe(true)
  else if (typeof value === 'bigint') expect(value >= 0n).toBe(true)
  else if (typeof value === 'string') expect(value).toMatch(/^0x[0-9a-f]*$/)
  else if (typeof value === 'object' && value !== null) Object.values(value).forEach(expectSound)
}

describe('an answer of any shape', () => {
  it.each(readers)('to a question for a %s is read exactly, or refused as a bad answer', (_, good, read) => {
    expectSound(read(good))
    const changed = fc
      .tuple(fc.constantFrom(...Object.keys(good)), rubbish)
      .map(([key, value]) => ({ ...good, [key]: value }))
    fc.assert(
      fc.property(fc.oneof(changed, rubbish), (answer) => {
        try {
          expectSound(read(answer))
        } catch (error) {
          if (!(error instanceof ChainError)) throw error
          expect(error.code).toBe('bad-answer')
        }
      }),
      { numRuns: 500 },
    )
  })

  it('that is nested without end, or very long, is refused as well', () => {
    let nested: unknown = []
    for (let depth = 0; depth < 100_000; depth++) nested = [nested]
    for (const [, , read] of readers) {
      expect(() => read(nested)).toThrow(ChainError)
      expect(() => read('x'.repeat(1_000_000))).toThrow(ChainError)
    }
    const many = Array.from({ length: 1_000 }, () => '0x1')
    expect(() => toFeeMarket({ baseFeePerGas: many }, 5)).toThrow('more base fees than asked')
    const rows = many.map(() => ['0x1', '0x1'])
    expect(() => toFeeMarket({ baseFeePerGas: ['0x1'], reward: rows }, 5)).toThrow('more rewards than asked')
  })
})

describe('an answer about a channel', () => {
  it('is refused when the channel has paid more than was put in: credits are given on it', async () => {
    const channel = { payer: ADDRESS, payee: ADDRESS, token: ADDRESS, signer: ADDRESS }
    const read = async (deposited: bigint, claimed: bigint) => {
      const result = { ...channel, closeAt: 0n, settleDelay: 900, deposited, claimed }
      const data = encodeFunctionResult({ abi: settlementChannelsAbi, functionName: 'channelOf', result })
      const together = async <T>(_: unknown, parse: (values: readonly unknown[]) => T) => parse([data])
      const contract = new ChannelContract({ address: ADDRESS }, { chain: { together } as never })
      return await contract.read([HASH], 'latest')
    }
    expect(await read(5n, 5n)).toMatchObject([{ deposited: 5n, claimed: 5n }])
    await expect(read(5n, 6n)).rejects.toMatchObject({ code: 'bad-answer' })
  })
})

describe('an HTTP answer', () => {
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
    chain = new Chain(
      { urls: [proxy.url], chainId: 31_337, requestDeadlineMs: 3_000 },
      { logger: silentLogger },
    )
    await chain.start()
  })
  afterEach(async () => {
    chain.stop()
    await proxy.stop()
  })

  it('that does not end is not read beyond a bound, and not asked for again', async () => {
    proxy.plan = ({ method }) => (method === 'eth_getBalance' ? { kind: 'huge' } : undefined)
    await expect(chain.balance(ADDRESS, 'latest')).rejects.toMatchObject({ code: 'too-large' })
    expect(proxy.seen.filter((method) => method === 'eth_getBalance')).toHaveLength(1)
  })

  it('that is far longer than any to its question is not read to its end', async () => {
    const result = `0x${'0'.repeat(2_000_000)}1`
    proxy.plan = ({ method }) => (method === 'eth_getBalance' ? { kind: 'result', result } : undefined)
    await expect(chain.balance(ADDRESS, 'latest')).rejects.toMatchObject({ code: 'too-large' })
  })

  it('that is a heap of small parts is not parsed: that would stop the process', async () => {
    const heap = Array.from({ length: 40_000 }, () => [])
    proxy.plan = ({ method }) => (method === 'eth_getLogs' ? { kind: 'result', result: heap } : undefined)
    const ask = chain.request('eth_getLogs', [{}], () => expect.unreachable())
    await expect(ask).rejects.toThrow('heap of small parts')
    const logs = JSON.stringify(Array.from({ length: 20_000 }, () => LOG))
    expect(hasTooManyParts(Buffer.from(logs))).toBe(false)
  })

  it.each([
    ['server-error', 'unreachable'],
    ['truncated', 'bad-answer'],
  ] as const)('%s is %s in the end, and no harm when it is rare', async (kind, code) => {
    proxy.failFirst('eth_getBalance', 2, { kind })
    expect(await chain.balance(ADDRESS, 'latest')).toBe(0n)
    proxy.failFirst('eth_getBalance', 99, { kind })
    await expect(chain.balance(ADDRESS, 'latest')).rejects.toMatchObject({ code })
  })

  it.each([
    ['query returned more than 10000 results, please narrow your request', 'rpc-error'],
    ['the block range of this request exceeds the limit', 'rpc-error'],
    ['too many requests', 'rate-limited'],
    ['daily request count exceeded, request rate limited', 'rate-limited'],
  ])('that says "limit exceeded" is understood by its words: %s', async (message, code) => {
    proxy.failFirst('eth_getBalance', 99, { kind: 'error', code: -32005, message })
    await expect(chain.balance(ADDRESS, 'latest')).rejects.toMatchObject({ code })
  })

  it('to a batch is taken only with the right chain in it', async () => {
    proxy.plan = ({ method }) => (method === 'eth_chainId' ? { kind: 'result', result: '0x1' } : undefined)
    const requests = [{ method: 'eth_blockNumber', params: [] }]
    await expect(chain.together(requests, (values) => values)).rejects.toMatchObject({ code: 'wrong-chain' })
  })
})
