import type { Hex } from 'viem'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ACCOUNT, EngineExchange, ExchangeChain } from './support/engine-exchange.ts'
import type { Json, MinimalSettlementPeer } from './support/minimal-settlement-peer.ts'

const NOWHERE: Hex = `0x${'ab'.repeat(32)}`

describe('the settlement protocol, spoken by another implementation', () => {
  let chain: ExchangeChain
  let exchange: EngineExchange
  let peer: MinimalSettlementPeer

  beforeAll(async () => {
    chain = await ExchangeChain.start()
  })
  afterAll(async () => {
    await chain?.stop()
  })
  beforeEach(async () => {
    exchange = new EngineExchange(chain)
    peer = exchange.peer
    await exchange.start()
  })
  afterEach(async () => {
    await exchange.stop()
  })

  describe('as the payer', () => {
    it('says hello, opens a channel, pays by vouchers and has the channel closed', async () => {
      const hello = await peer.hello()
      expect(Object.keys(hello).toSorted()).toEqual([
        ...['account', 'chainId', 'challenge', 'contract', 'id', 'ilpAddress', 'minSettleDelay'],
        ...['peerIlpAddress', 'proof', 'signer', 'v'],
      ])
      expect(hello).toMatchObject({ chainId: 31_337, contract: chain.contract, minSettleDelay: 3_600 })
      expect(peer.other!.account).toBe(exchange.engine.address)
      expect(await peer.say({ type: 'state' })).toMatchObject({ channels: [] })

      const channelId = await peer.open(1_000n)
      await exchange.expectRefused({ type: 'channel', channelId }, 'channel-unknown')
      await exchange.finalize()
      const accepted = await peer.say({ type: 'channel', channelId })
      expect(accepted).toEqual({
        v: 1,
        id: expect.any(String),
        channelId,
        deposited: '1000',
        cumulative: '0',
      })
      expect(await peer.say({ type: 'state' })).toMatchObject({ channels: [{ channelId, cumulative: '0' }] })

      const first = await peer.voucher(channelId, 100n)
      const acknowledged = { v: 1, id: expect.any(String), channelId, cumulative: '100' }
      expect(await peer.say(first)).toEqual(acknowledged)
      expect(await peer.say(first)).toEqual(acknowledged)
      const second = await peer.voucher(channelId, 250n)
      expect(await peer.say(second)).toMatchObject({ cumulative: '250' })
      await exchange.engine.tick()
      await exchange.expectRefused(first, 'stale-voucher')
      expect(
        [...exchange.credits.values()].map(({ id, accountId, quantity }) => [id, accountId, quantity.amount]),
      ).toEqual([
        [`evm:31337:${channelId}:100`, ACCOUNT, 100n],
        [`evm:31337:${channelId}:250`, ACCOUNT, 150n],
      ])
      const { signature } = second
      expect(await peer.say({ type: 'state' })).toMatchObject({
        channels: [{ channelId, cumulative: '250', signature }],
      })

      expect(await peer.say({ type: 'requestClose', channelId })).toMatchObject({ channelId })
      // Not on the chain yet: the payee's word is enough.
      expect(await peer.say({ type: 'channel', channelId })).toBe('channel-closing')
      expect(await peer.say({ type: 'requestClose', channelId })).toMatchObject({ channelId })
      await exchange.until('closed', () => exchange.engine.channels()[0]!.state === 'closed')
      expect(await peer.channelOnChain(channelId)).toMatchObject({ closeAt: 2n ** 64n - 1n, claimed: 250n })
      expect(await peer.say(second)).toMatchObject({ cumulative: '250' })
      await exchange.expectRefused(await peer.voucher(channelId, 251n), 'channel-closing')
      expect(exchange.engine.channels()[0]).toMatchObject({ claimed: 250n, unclaimed: 0n })
    }, 60_000)

    it('may send a voucher without asking for the channel before', async () => {
      await peer.hello()
      const channelId = await peer.open(50n)
      await exchange.finalize()
      expect(await peer.say(await peer.voucher(channelId, 50n))).toMatchObject({ cumulative: '50' })
    }, 60_000)

    it('sends its vouchers again to an engine that has lost its books, and is credited the new part', async () => {
      const channelId = await exchange.openChannel()
      const voucher = await peer.voucher(channelId, 100n)
      expect(await peer.say(voucher)).toMatchObject({ cumulative: '100' })
      await exchange.engine.tick()
      await exchange.stop()
      await exchange.start()
      await peer.hello()
      expect(await peer.say({ type: 'channel', channelId })).toMatchObject({ deposited: '1000' })
      await exchange.engine.tick()
      const state = await peer.say({ type: 'state' })
      expect(state).toMatchObject({ channels: [{ channelId, cumulative: '0', credited: '100' }] })
      await exchange.expectRefused({ type: 'requestClose', channelId }, 'voucher-missing')
      expect(await peer.say(voucher)).toMatchObject({ cumulative: '100' })
      expect(await peer.say(await peer.voucher(channelId, 150n))).toMatchObject({ cumulative: '150' })
      await exchange.engine.tick()
      expect(exchange.creditedSum).toBe(150n)
      expect(await peer.say({ type: 'requestClose', channelId })).toMatchObject({ channelId })
      await exchange.until('closed', () => exchange.engine.channels()[0]!.state === 'closed')
      expect(await peer.channelOnChain(channelId)).toMatchObject({ claimed: 150n })
    }, 60_000)

    it('tells of a plain transfer, which is credited once it is final', async () => {
      await peer.hello()
      const hash = await peer.pay(exchange.engine.address, 77n)
      await exchange.expectRefused({ type: 'payment', hash }, 'payment-unknown')
      await exchange.finalize()
      const acknowledged = { v: 1, id: expect.any(String), hash, amount: '77' }
      expect(await peer.say({ type: 'payment', hash })).toEqual(acknowledged)
      expect(await peer.say({ type: 'payment', hash })).toEqual(acknowledged)
      await exchange.engine.tick()
      expect([...exchange.credits.values()]).toMatchObject([
        { id: `evm:31337:${hash}`, accountId: ACCOUNT, quantity: { amount: 77n }, sender: peer.address },
      ])
    }, 60_000)
  })

  describe('as the payee', () => {
    it('is paid through a channel that the engine opens, claims on the chain and closes at once when asked', async () => {
      await exchange.settle('one', 300_000n)
      await exchange.settle('two', 7n)
      await exchange.until('settled', () => exchange.ends.get('two') === 'settled')
      expect(peer.credited).toBe(300_007n)
      expect(peer.heard.map(({ type }) => type).slice(0, 3)).toEqual(['challenge', 'hello', 'state'])
      expect(peer.other).toMatchObject({ account: exchange.engine.address })
      const channelId = [...peer.incoming.keys()][0]!
      await peer.claimOnChain(channelId)
      expect(await peer.channelOnChain(channelId)).toMatchObject({ deposited: 1_000_000n, claimed: 300_007n })
      await exchange.engine.operations.close(channelId)
      await exchange.until('closed', () => exchange.engine.channels()[0]!.state === 'closed')
      expect(peer.heard.at(-1)).toMatchObject({ type: 'requestClose', channelId })
      expect(exchange.engine.channels()[0]).toMatchObject({ claimed: 300_007n, unclaimed: 0n })
    }, 60_000)

    it('teaches an engine without books by its state, which then goes on above it', async () => {
      await exchange.settle('one', 100n)
      await exchange.until('settled', () => exchange.ends.get('one') === 'settled')
      await exchange.stop()
      await exchange.start()
      await exchange.settle('two', 11n)
      await exchange.until('settled', () => exchange.ends.get('two') === 'settled')
      expect(peer.credited).toBe(111n)
      expect(peer.incoming.size).toBe(1)
    }, 60_000)

    it('is sent the same voucher again until its answer fits', async () => {
      const wrong: Json[] = [
        { cumulative: '1' },
        { cumulative: '100', extra: true },
        { cumulative: 100 },
        { channelId: NOWHERE },
        { id: 'other' },
      ]
      let turns = 0
      peer.tamper = (type, answer) =>
        type === 'claim' && turns < wrong.length ? { ...answer, ...wrong[turns++] } : answer
      await exchange.settle('one', 100n)
      await exchange.until('settled', () => exchange.ends.get('one') === 'settled')
      const claims = peer.heard.filter(({ type }) => type === 'claim')
      expect(claims.length).toBe(wrong.length + 1)
      expect(new Set(claims.map(({ cumulative, signature }) => `${cumulative} ${signature}`)).size).toBe(1)
      expect(peer.credited).toBe(100n)
    }, 60_000)

    it('is sent the newest vouchers again when it says hello: it may have lost them', async () => {
      await exchange.settle('one', 100n)
      await exchange.until('settled', () => exchange.ends.get('one') === 'settled')
      const [channelId] = peer.incoming.keys()
      peer.incoming.clear()
      await peer.hello()
      await exchange.until('sent again', () => peer.incoming.get(channelId!)?.cumulative === 100n)
    }, 60_000)

    it('is not believed a state with a voucher that the engine did not sign', async () => {
      peer.tamper = (type, answer) =>
        type === 'state'
          ? { channels: [{ channelId: NOWHERE, cumulative: '5', signature: `0x${'11'.repeat(65)}` }] }
          : answer
      await exchange.settle('one', 100n)
      await exchange.until('settled', () => exchange.ends.get('one') === 'settled')
      expect(peer.credited).toBe(100n)
      expect(exchange.engine.channels()).toHaveLength(1)
    }, 60_000)

    it('is told of plain transfers of the native coin', async () => {
      const transfers = new EngineExchange(chain, {
        mode: 'transfer',
        peerAddress: peer.address,
      })
      await exchange.stop()
      exchange = transfers
      await transfers.start()
      await transfers.settle('one', 5n)
      await transfers.until('told', () => transfers.peer.credited === 5n)
      await transfers.until('settled', () => transfers.ends.get('one') === 'settled')
      expect(transfers.peer.heard.filter(({ type }) => type === 'payment')).not.toEqual([])
    }, 60_000)
  })
})
