import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Fault, JsonRpcProxy } from '../../support/json-rpc-proxy.ts'
import { SenderChain } from './sender-chain.ts'
import { SenderFixture, transfer } from './sender-fixture.ts'

const SEND = 'eth_sendRawTransaction'

const chain = SenderChain.use()
let proxy: JsonRpcProxy
let fixture: SenderFixture
let address: Hex
let recipient: Hex

beforeEach(async () => {
  proxy = await JsonRpcProxy.start(chain.anvil.url)
  const key = await chain.fundedKey()
  address = key.address
  recipient = privateKeyToAddress(generatePrivateKey())
  fixture = await new SenderFixture({ urls: [proxy.url], privateKey: key.privateKey }).start()
})
afterEach(async () => {
  await fixture.destroy()
  await proxy.stop()
})

async function settle(): Promise<void> {
  await chain.settle([fixture.sender])
}

async function expectPaidOnce(): Promise<void> {
  await settle()
  expect(fixture.told).toEqual(['a succeeded'])
  expect(await chain.anvil.balance(recipient)).toBe(1_000n)
  expect(await chain.anvil.transactionCount(address)).toBe(1)
}

describe('exactly one transfer lands', () => {
  const faults: [string, Fault][] = [
    ['the reply to the broadcast is lost', { kind: 'drop-reply' }],
    ['the broadcast is lost', { kind: 'drop-request' }],
    ['the broadcast meets a rate limit', { kind: 'rate-limit' }],
    ['the broadcast meets a server that is out of order', { kind: 'server-error' }],
    ['the broadcast is answered with rubbish', { kind: 'rubbish' }],
    ['the answer to the broadcast ends in the middle', { kind: 'truncated' }],
    ['the broadcast is answered too late', { kind: 'delay', ms: 1_500 }],
    ['the broadcast is answered with another hash', { kind: 'result', result: `0x${'11'.repeat(32)}` }],
    ['the node says "nonce too low"', { kind: 'error', code: -32000, message: 'nonce too low' }],
    ['the node says "already known"', { kind: 'error', code: -32000, message: 'already known' }],
    ['the node says something new', { kind: 'error', code: -32000, message: 'the moon is wrong' }],
  ]
  it.each(faults)('when %s', async (_, fault) => {
    proxy.failFirst(SEND, 1, fault)
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await expectPaidOnce()
  })

  it.each(faults)('with a restart in between, when %s', async (_, fault) => {
    proxy.failFirst(SEND, 1, fault)
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await fixture.stop()
    await fixture.start()
    fixture.sender.submit(transfer('a', { to: recipient }))
    await expectPaidOnce()
  })

  it('when a replacement is lost on the way and the first version lands', async () => {
    await chain.anvil.setAutomine(false)
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    proxy.failFirst(SEND, 9, { kind: 'drop-request' })
    fixture.nowMs += 46_000
    await fixture.sender.tick()
    const hashes = fixture.sender.purpose('a')!.hashes
    expect(hashes).toHaveLength(2)
    await expectPaidOnce()
    expect(fixture.sender.purpose('a')?.outcomeHash).toBe(hashes[0])
  })

  it('when the node never answers any other question twice in the same way', async () => {
    let turn = 0
    const kinds = ['rubbish', 'drop-reply', 'rate-limit'] as const
    proxy.plan = () => (turn++ % 2 === 0 ? { kind: kinds[turn % 3]! } : undefined)
    fixture.sender.submit(transfer('a', { to: recipient }))
    for (let round = 0; round < 4; round++) await fixture.sender.tick()
    proxy.plan = () => undefined
    await fixture.sender.tick()
    await expectPaidOnce()
  })

  it('when one of two nodes is cut off from the world', async () => {
    await fixture.destroy()
    const key = await chain.fundedKey()
    address = key.address
    const urls = [proxy.url, chain.anvil.url]
    fixture = await new SenderFixture({ urls, privateKey: key.privateKey }).start()
    proxy.plan = () => ({ kind: 'drop-request' })
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await expectPaidOnce()
  })

  it('when the node lags behind what was mined', async () => {
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await chain.anvil.drain()
    await chain.anvil.mine(3)
    proxy.lagBlocks = 5
    await fixture.sender.tick()
    await fixture.sender.tick()
    expect(fixture.told).toEqual([])
    proxy.lagBlocks = 0
    await expectPaidOnce()
    expect(fixture.alarms).toEqual([])
  })

  it('when the count of its sender is asked of a node that lags, after it is final', async () => {
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await expectPaidOnce()
    proxy.plan = ({ method }) => {
      if (method === 'eth_getTransactionCount') proxy.lagBlocks = 20
      return undefined
    }
    await fixture.sender.tick()
    proxy.plan = () => undefined
    proxy.lagBlocks = 0
    await expectPaidOnce()
    expect(fixture.alarms).toEqual([])
  })

  it('when a reorg takes it after its nonce was counted as used', async () => {
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await chain.anvil.drain()
    await chain.anvil.reorg(1)
    proxy.failFirst('eth_getTransactionCount', 1, { kind: 'result', result: '0x1' })
    await fixture.sender.tick()
    expect(fixture.told).toEqual([])
    await expectPaidOnce()
    expect(fixture.alarms).toEqual([])
  })
})

describe('a node that tells wrong things', () => {
  it.each([
    ['eth_getTransactionCount', '0x64'],
    ['eth_getTransactionReceipt', null],
    ['eth_getBlockByNumber', null],
    ['eth_feeHistory', { baseFeePerGas: ['0xffffffffffffffffffffffff'], reward: [] }],
    ['eth_getBalance', '0x0'],
  ])('in %s changes nothing, and all goes on when it stops', async (method, result) => {
    proxy.failFirst(method, 40, { kind: 'result', result })
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await fixture.sender.tick()
    expect(fixture.told).toEqual([])
    expect(fixture.sender.halted).toBeUndefined()
    proxy.plan = () => undefined
    await fixture.sender.tick()
    await expectPaidOnce()
  })

  it('about a receipt that is in no block is not believed', async () => {
    fixture.sender.submit(transfer('a', { to: recipient }))
    await fixture.sender.tick()
    await chain.anvil.drain()
    const hash = fixture.sender.purpose('a')!.hashes[0]!
    const receipt = await chain.anvil.rpc<Record<string, unknown>>('eth_getTransactionReceipt', hash)
    await chain.anvil.mine(3)
    const result = { ...receipt, blockHash: `0x${'22'.repeat(32)}` }
    proxy.failFirst('eth_getTransactionReceipt', 9, { kind: 'result', result })
    await fixture.sender.tick()
    expect(fixture.told).toEqual([])
    proxy.plan = () => undefined
    await expectPaidOnce()
  })
})
