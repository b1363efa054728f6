import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ANVIL_KEYS } from '../support/anvil.ts'
import { EngineExchange, ExchangeChain, PEER_KEY } from './support/engine-exchange.ts'
import { type Json, MinimalSettlementPeer, Refusal } from './support/minimal-settlement-peer.ts'

const STRANGER_KEY = ANVIL_KEYS[3]!
const OTHER_KEY: Hex = `0x${'33'.repeat(32)}`
const NOWHERE: Hex = `0x${'ab'.repeat(32)}`
const UINT128_MAX = 2n ** 128n - 1n
/** Order of secp256k1. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

describe('the settlement protocol, spoken badly', () => {
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

  it('answers every message that is none of the protocol with a code', async () => {
    const channelId = await exchange.openChannel()
    const claim = await peer.voucher(channelId, 10n)
    for (const text of ['', '{', 'null', '[]', '7', '"state"', '{}', '\u0000'])
      await exchange.expectRefused(text, 'bad-message')
    await exchange.expectRefused({ type: 'state', padding: 'x'.repeat(16_384) }, 'too-large')
    await exchange.expectRefused({ type: 'state' }, 'unsupported-version', { v: 2 })
    await exchange.expectRefused({ type: 'state' }, 'bad-message', { v: '1' })
    await exchange.expectRefused({ type: 'state' }, 'bad-message', {})
    for (const id of ['', 'a b', 'é', 'x'.repeat(65), 7]) {
      await exchange.expectRefused(JSON.stringify({ v: 1, id, type: 'state' }), 'bad-message')
    }
    for (const body of [
      { type: 'pay' },
      { type: 'State' },
      {},
      { type: 'state', more: 1 },
      { ...claim, more: 1 },
      { type: 'claim', channelId },
      { type: 'channel' },
      { type: 'channel', channelId: channelId.slice(2) },
      { type: 'channel', channelId: `${channelId}00` },
      { type: 'requestClose', channelId: null },
    ])
      await exchange.expectRefused(body, 'bad-message')
    for (const cumulative of [
      10,
      '-1',
      '+1',
      '01',
      '1e1',
      '1.0',
      '0x0a',
      '',
      ' 1',
      String(UINT128_MAX + 1n),
    ]) {
      await exchange.expectRefused({ ...claim, cumulative }, 'bad-message')
    }
    for (const signature of [
      '0x',
      `${String(claim.signature)}00`,
      String(claim.signature).slice(0, -2),
      'no',
    ]) {
      await exchange.expectRefused({ ...claim, signature }, 'bad-message')
    }
    expect(await peer.say(claim)).toMatchObject({ cumulative: '10' })
  }, 60_000)

  it('takes nothing but challenge and hello from a peer that is not known', async () => {
    const channelId = NOWHERE
    // Else the engine says hello by itself.
    peer.tamper = () => {
      throw new Refusal('busy')
    }
    await exchange.expectRefused({ type: 'state' }, 'unknown-peer')
    await exchange.expectRefused({ type: 'channel', channelId }, 'unknown-peer')
    await exchange.expectRefused(await peer.voucher(channelId, 1n), 'unknown-peer')
    await exchange.expectRefused({ type: 'requestClose', channelId }, 'unknown-peer')
    await exchange.expectRefused({ type: 'payment', hash: NOWHERE }, 'unknown-peer')
  }, 60_000)

  it('refuses addresses that the peer does not prove, and places that are not the same', async () => {
    const stranger = privateKeyToAccount(STRANGER_KEY).address.toLowerCase()
    const refuse = async (signed: Json, said: Json, code: string) =>
      await exchange.expectRefused(await peer.helloBody(signed, said), code)
    await refuse({}, { account: stranger }, 'bad-proof')
    await refuse({ account: stranger }, {}, 'bad-proof')
    await refuse({}, { signer: stranger }, 'bad-proof')
    await refuse({}, { proof: `0x${'00'.repeat(65)}` }, 'bad-proof')
    await refuse({}, { chainId: 1 }, 'wrong-chain')
    await refuse({}, { contract: stranger }, 'wrong-contract')
    await refuse({ ilpAddress: 'test.other' }, {}, 'wrong-ilp-address')
    await refuse({ peerIlpAddress: 'test.other' }, {}, 'wrong-ilp-address')
    await refuse({ challenge: NOWHERE }, {}, 'bad-challenge')
    await refuse({ account: exchange.engine.address }, {}, 'own-address')
    // What is said but not known to the other side does not stand in the way.
    expect(typeof (await peer.say(await peer.helloBody({ ilpAddress: '', peerIlpAddress: '' })))).toBe(
      'object',
    )
    const other = new MinimalSettlementPeer({ ...peer.options, accountKey: STRANGER_KEY })
    other.carry = peer.carry
    expect(await other.say(await other.helloBody())).toBe('address-changed')
    await exchange.engine.openAccount({
      ...{ id: 'second', assetCode: 'ETH', assetScale: 9, options: {} },
      ...{ ownAddress: undefined, peerAddress: undefined },
    })
    const again = new MinimalSettlementPeer(peer.options)
    again.carry = async (message) => await exchange.engine.receive('second', message)
    const body = await again.helloBody()
    await expect(again.say(body)).rejects.toMatchObject({ code: 'address-taken' })
  }, 60_000)

  it('refuses channels that are not on its terms', async () => {
    await peer.hello()
    const stranger = privateKeyToAccount(STRANGER_KEY).address
    const token = chain.contract
    const open = async (change: Json) => {
      const channelId = await peer.open(1_000n, change)
      await exchange.finalize()
      return { type: 'channel', channelId }
    }
    await exchange.expectRefused({ type: 'channel', channelId: NOWHERE }, 'channel-unknown')
    await exchange.expectRefused({ type: 'requestClose', channelId: NOWHERE }, 'channel-unknown')
    await exchange.expectRefused(await open({ payee: stranger }), 'channel-foreign')
    await exchange.expectRefused(await open({ signer: stranger }), 'wrong-signer')
    await exchange.expectRefused(await open({ settleDelay: 3_599 }), 'delay-too-short')
    await expect(open({ token })).rejects.toThrow()
    const other = new MinimalSettlementPeer({ ...peer.options, accountKey: STRANGER_KEY })
    const channelId = await other.open(1_000n, { payee: exchange.engine.address, signer: peer.signer })
    await exchange.finalize()
    await exchange.expectRefused({ type: 'channel', channelId }, 'channel-foreign')
    await exchange.expectRefused(await peer.voucher(channelId, 5n), 'channel-foreign')
    const closing = await open({})
    await peer.requestCloseOnChain(closing.channelId)
    // Bad news counts at once, though it is not final.
    await exchange.expectRefused(closing, 'channel-closing')
    await exchange.expectRefused(await peer.voucher(closing.channelId, 5n), 'channel-closing')
  }, 60_000)

  it('refuses payments that are not from the peer to us', async () => {
    await peer.hello()
    const other = new MinimalSettlementPeer({ ...peer.options, accountKey: STRANGER_KEY })
    const { address } = exchange.engine
    const hashes = [
      await other.pay(address, 5n),
      await peer.pay(other.address, 5n),
      await peer.pay(address, 0n),
    ]
    await exchange.finalize()
    for (const hash of hashes) await exchange.expectRefused({ type: 'payment', hash }, 'payment-foreign')
    await exchange.expectRefused({ type: 'payment', hash: NOWHERE }, 'payment-unknown')
  }, 60_000)

  it('refuses vouchers above the deposit, and for another channel, chain, contract or key', async () => {
    const channelId = await exchange.openChannel(1_000n)
    const second = await exchange.openChannel(1_000n)
    const voucher = peer.voucher.bind(peer, channelId)
    expect(await peer.say(await voucher(100n))).toMatchObject({ cumulative: '100' })
    await exchange.engine.tick()
    await exchange.expectRefused(await voucher(1_001n), 'above-deposit')
    await exchange.expectRefused(await voucher(UINT128_MAX), 'above-deposit')
    await exchange.expectRefused(await voucher(200n, { signedChannel: second }), 'bad-signature')
    await exchange.expectRefused(await voucher(200n, { chainId: 1 }), 'bad-signature')
    await exchange.expectRefused(await voucher(200n, { contract: peer.address }), 'bad-signature')
    await exchange.expectRefused(await voucher(200n, { key: OTHER_KEY }), 'bad-signature')
    await exchange.expectRefused(await voucher(200n, { key: PEER_KEY }), 'bad-signature')
    await exchange.expectRefused({ ...(await voucher(200n)), cumulative: '201' }, 'bad-signature')
    await exchange.expectRefused({ ...(await voucher(200n)), channelId: NOWHERE }, 'channel-unknown')
    for (const other of otherForms((await voucher(200n)).signature as Hex)) {
      await exchange.expectRefused({ ...(await voucher(200n)), signature: other }, 'bad-signature')
    }
    await exchange.expectRefused(await voucher(99n), 'stale-voucher')
    await exchange.expectRefused(await voucher(0n), 'stale-voucher')
    expect(await peer.say(await voucher(1_000n))).toMatchObject({ cumulative: '1000' })
    await exchange.engine.tick()
    expect([...exchange.credits.values()].reduce((sum, { quantity }) => sum + quantity.amount, 0n)).toBe(
      1_000n,
    )
  }, 60_000)

  it('takes no voucher of a channel that another account has', async () => {
    const channelId = await exchange.openChannel(1_000n)
    await exchange.engine.openAccount({
      ...{ id: 'second', assetCode: 'ETH', assetScale: 9, options: {} },
      ...{ ownAddress: undefined, peerAddress: undefined },
    })
    const other = new MinimalSettlementPeer({
      ...peer.options,
      accountKey: STRANGER_KEY,
      ilpAddress: 'test.second',
    })
    other.carry = async (message) => await exchange.engine.receive('second', message)
    await other.hello()
    const body = await peer.voucher(channelId, 10n)
    await expect(other.say(body)).rejects.toMatchObject({ code: 'channel-foreign' })
    await expect(other.say({ type: 'channel', channelId })).rejects.toMatchObject({
      code: 'channel-foreign',
    })
    await expect(other.say({ type: 'requestClose', channelId })).rejects.toMatchObject({
      code: 'channel-unknown',
    })
    await exchange.engine.tick()
    expect(exchange.credits.size).toBe(0)
  }, 60_000)

  it('says so when the chain cannot be asked, and takes the same voucher later', async () => {
    await peer.hello()
    const channelId = await peer.open(1_000n)
    await exchange.finalize()
    const body = await peer.voucher(channelId, 10n)
    chain.proxy.plan = () => ({ kind: 'rate-limit' })
    await exchange.expectRefused(body, 'chain-unavailable')
    chain.proxy.plan = () => undefined
    expect(await peer.say(body)).toMatchObject({ cumulative: '10' })
  }, 60_000)
})

/** The same signature in forms that recover to the same key and that the contract does not take. */
function otherForms(signature: Hex): Hex[] {
  const [r, s, v] = [signature.slice(2, 66), BigInt(`0x${signature.slice(66, 130)}`), signature.slice(130)]
  const high = (ORDER - s).toString(16).padStart(64, '0')
  const parity = v === '1b' ? '00' : '01'
  return [`0x${r}${high}${v === '1b' ? '1c' : '1b'}`, `0x${signature.slice(2, 130)}${parity}`]
}
