import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JsonRpcProxy } from '../../support/json-rpc-proxy.ts'
import { SenderChain } from './sender-chain.ts'
import { SenderFixture, transfer } from './sender-fixture.ts'

const chain = SenderChain.use()
let proxy: JsonRpcProxy
let privateKey: Hex
let first: SenderFixture
let second: SenderFixture

beforeEach(async () => {
  proxy = await JsonRpcProxy.start(chain.anvil.url)
  privateKey = (await chain.fundedKey()).privateKey
  first = await new SenderFixture({ urls: [chain.anvil.url], privateKey }).start()
  second = await new SenderFixture({ urls: [proxy.url], privateKey }).start()
})
afterEach(async () => {
  await first.destroy()
  await second.destroy()
  await proxy.stop()
})

async function settle(rounds?: number): Promise<void> {
  await chain.settle([first.sender, second.sender], rounds)
}

const recipients = () => [0, 1].map(() => privateKeyToAddress(generatePrivateKey())) as [Hex, Hex]

describe('two senders with one key', () => {
  it('on one data directory: the second does not start', async () => {
    const third = new SenderFixture({ urls: [chain.anvil.url], privateKey, directory: first.directory })
    await expect(third.start()).rejects.toThrow('its key must be used by one process only')
  })

  it.each([
    ['by a node that looks nonces up', false],
    ['by the block, from a node that does not', true],
  ])('the second sees a nonce that is not its own, %s: stops and alarms', async (_, isPlain) => {
    if (isPlain) {
      proxy.failFirst('eth_getTransactionBySenderAndNonce', 999, {
        kind: 'error',
        code: -32601,
        message: 'the method does not exist',
      })
    }
    const [one, two] = recipients()
    first.sender.submit(transfer('x', { to: one }))
    await first.sender.tick()
    await chain.anvil.drain()
    second.sender.submit(transfer('y', { to: two }))
    await settle()
    expect(first.told).toEqual(['x succeeded'])
    expect(second.sender.halted).toContain('another process uses the key')
    expect(second.alarms).toEqual(['foreign-transaction'])
    expect(second.told).toEqual([])
    expect(second.sender.open()).toEqual([])
    await second.stop()
    await second.start()
    await settle()
    expect(second.told).toEqual([])
    expect(second.sender.trouble).toBe(second.sender.halted)
    expect(await second.sender.resume()).toBe(true)
    expect(second.sender.trouble).toBeUndefined()
    expect(await second.sender.resume()).toBe(false)
    await second.sender.tick()
    await settle()
    expect(second.told).toEqual(['y succeeded'])
    expect([await chain.anvil.balance(one), await chain.anvil.balance(two)]).toEqual([1_000n, 1_000n])
  })

  it('that sign the same nonce: one lands; the other is signed anew only when that is final, and an operator resumed', async () => {
    await chain.anvil.setAutomine(false)
    const [one, two] = recipients()
    first.sender.submit(transfer('x', { to: one }))
    second.sender.submit(transfer('y', { to: two }))
    await first.sender.tick()
    await second.sender.tick()
    expect(second.sender.purpose('y')).toMatchObject({ state: 'pending', nonce: 0 })
    await chain.anvil.mine(1)
    await first.sender.tick()
    await second.sender.tick()
    const [loser, winner] = (await chain.anvil.balance(one)) > 0n ? [second, first] : [first, second]
    const purpose = loser === second ? 'y' : 'x'
    // Seen at once, but not final: the loser's bytes could still land.
    expect(loser.sender.halted).toBeDefined()
    expect(loser.sender.purpose(purpose)).toMatchObject({ state: 'pending', nonce: 0 })
    await expect(loser.sender.resume()).rejects.toMatchObject({ code: 'not-final' })
    await settle()
    expect(winner.told).toHaveLength(1)
    expect(winner.sender.halted).toBeUndefined()
    expect(loser.alarms).toEqual(['foreign-transaction'])
    expect(loser.sender.purpose(purpose)).toMatchObject({ state: 'queued', nonce: undefined })
    await loser.sender.resume()
    await loser.sender.tick()
    expect(loser.sender.purpose(purpose)).toMatchObject({ state: 'pending', nonce: 1 })
    await settle()
    expect(loser.told).toEqual([`${purpose} succeeded`])
    expect([await chain.anvil.balance(one), await chain.anvil.balance(two)]).toEqual([1_000n, 1_000n])
  })

  it('does not begin with a key that has transactions waiting', async () => {
    await chain.anvil.setAutomine(false)
    first.sender.submit(transfer('x'))
    await first.sender.tick()
    const third = new SenderFixture({ urls: [chain.anvil.url], privateKey })
    try {
      await expect(third.start()).rejects.toMatchObject({ name: 'KeyInUseError' })
    } finally {
      await third.destroy()
    }
    await settle()
  })

  it('is not told by a node that knows no more than a number: nothing is signed until it is clear', async () => {
    proxy.failFirst('eth_getTransactionCount', 99, { kind: 'result', result: '0x7' })
    second.sender.submit(transfer('y'))
    await second.sender.tick()
    expect(second.alarms).toEqual(['unexplained-nonce'])
    expect(second.sender.halted).toBeUndefined()
    expect(second.sender.purpose('y')?.state).toBe('queued')
    expect(second.sender.trouble).toBeUndefined()
    await chain.anvil.mine()
    second.nowMs += 10 * 60_000
    await second.sender.tick()
    expect(second.sender.trouble).toMatch(/^nothing is signed since 2023-11-14T22:13:20.000Z: /)
    proxy.plan = () => undefined
    await second.sender.tick()
    expect(second.sender.trouble).toBeUndefined()
    await settle(2)
    expect(second.told).toEqual(['y succeeded'])
  })

  it('stays resumed when a round that was under way finds the foreign transaction', async () => {
    first.sender.submit(transfer('x'))
    await chain.settle([first.sender])
    const [, isResumed] = await Promise.all([second.sender.tick(), second.sender.resume()])
    expect([isResumed, second.alarms]).toEqual([true, ['foreign-transaction']])
    expect(second.sender.halted).toBeUndefined()
  })

  it('is not resumed behind a nonce that no node shows', async () => {
    proxy.failFirst('eth_getTransactionCount', 99, { kind: 'result', result: '0x7' })
    await expect(second.sender.resume()).rejects.toMatchObject({ code: 'bad-answer' })
    proxy.plan = () => undefined
    second.sender.submit(transfer('y'))
    await settle(2)
    expect(second.sender.purpose('y')).toMatchObject({ state: 'done', nonce: 0 })
  })

  it('is begun anew by an operator where a node told too many transactions at its first use', async () => {
    proxy.failFirst('eth_getTransactionCount', 2, { kind: 'result', result: '0x7' })
    const third = await new SenderFixture({ urls: [proxy.url], privateKey }).start()
    try {
      third.sender.submit(transfer('z'))
      await chain.settle([third.sender])
      expect(third.alarms).toEqual(['nonce-gap'])
      await third.sender.resume()
      await chain.settle([third.sender])
      expect(third.sender.purpose('z')).toMatchObject({ state: 'done', nonce: 0 })
    } finally {
      await third.destroy()
    }
  })

  it('signs nothing while the chain shows less than at the first use of the key', async () => {
    first.sender.submit(transfer('x'))
    await first.sender.tick()
    await chain.anvil.drain()
    await first.stop()
    const third = await new SenderFixture({ urls: [proxy.url], privateKey }).start()
    try {
      proxy.failFirst('eth_getTransactionCount', 99, { kind: 'result', result: '0x0' })
      third.sender.submit(transfer('z'))
      await third.sender.tick()
      expect(third.alarms).toEqual(['nonce-gap'])
      expect(third.sender.purpose('z')?.state).toBe('queued')
      proxy.plan = () => undefined
      await third.sender.tick()
      expect(third.sender.purpose('z')).toMatchObject({ state: 'pending', nonce: 1 })
    } finally {
      await third.destroy()
    }
  })
})
