import { randomBytes } from 'node:crypto'
import { deserializeIlpPrepare, serializeIlpReply } from 'ilp-packet'
import { beforeEach, describe, expect, it } from 'vitest'
import { SendOutcome } from '../../../src/peers/link.ts'
import { Harness, type Side } from './forwarder-harness.ts'

const BOB = 'test.node.bob'

describe('Forwarder', () => {
  let node: Harness
  let alice: Side
  let bob: Side

  beforeEach(async () => {
    node = await Harness.create()
    alice = await node.side('alice')
    bob = await node.side('bob')
  })

  it('takes the message window off the expiry and caps the time it holds a packet', () => {
    node.send(alice, BOB, 10, { expiresInMs: 10_000 })
    node.send(alice, BOB, 10, { expiresInMs: 120_000 })
    const expiries = bob.link.sent.map(
      (sent) => deserializeIlpPrepare(sent.packet).expiresAt.getTime() - node.nowMs,
    )
    expect(expiries).toEqual([9_000, 30_000])
  })

  it('relays a fulfill only once the books have it', async () => {
    let open: (() => void) | undefined
    node.store.gate = new Promise((resolve) => {
      open = resolve
    })
    const fulfillment = randomBytes(32)
    const handle = node.send(alice, BOB, 10, { fulfillment })
    node.fulfillLast(bob, fulfillment)
    await node.settle()
    expect(node.reply(alice, handle)).toBeUndefined()
    open!()
    await node.settle()
    expect(node.code(alice, handle)).toBe('fulfilled')
    expect(node.store.balancesByIndex).toEqual([-10n, 10n])
  })

  it('relays a fulfill at once when told to, and books it after', async () => {
    node = await Harness.create({ relay: 'immediately' })
    alice = await node.side('alice')
    bob = await node.side('bob')
    const fulfillment = randomBytes(32)
    const handle = node.send(alice, BOB, 10, { fulfillment })
    node.fulfillLast(bob, fulfillment)
    expect(node.code(alice, handle)).toBe('fulfilled')
    await node.settle()
    expect(node.store.balancesByIndex).toEqual([-10n, 10n])
    expect(node.forwarder.used).toBe(0)
  })

  it('tells the payer R00 when the books do not answer in time, and makes it good when they do', async () => {
    let open: (() => void) | undefined
    node.store.gate = new Promise((resolve) => {
      open = resolve
    })
    const fulfillment = randomBytes(32)
    const handle = node.send(alice, BOB, 10, { fulfillment })
    node.fulfillLast(bob, fulfillment)
    await node.settle()
    node.advance(9_400)
    expect(node.reply(alice, handle)).toBeUndefined()
    node.advance(150)
    expect(node.code(alice, handle)).toBe('R00')
    open!()
    await node.settle()
    await node.settle()
    expect(node.store.balancesByIndex).toEqual([0n, 10n])
    expect(node.forwarder.used).toBe(0)
    expect(alice.account.ledger.reserved).toBe(0)
  })

  it('answers R00 once the outgoing expiry has passed, to the tick', () => {
    const handle = node.send(alice, BOB, 10, { expiresInMs: 5_000 })
    node.advance(3_999)
    expect(node.reply(alice, handle)).toBeUndefined()
    node.advance(11)
    expect(node.code(alice, handle)).toBe('R00')
    expect(alice.account.ledger.reserved).toBe(0)
  })

  it('does not take a fulfill that comes after the expiry, even before the timer fires', async () => {
    const fulfillment = randomBytes(32)
    const handle = node.send(alice, BOB, 10, { expiresInMs: 5_000, fulfillment })
    node.nowMs += 4_001
    node.fulfillLast(bob, fulfillment)
    await node.settle()
    expect(node.code(alice, handle)).toBe('R00')
    expect(node.store.batches).toBe(0)
    expect(node.stats.lateReplies).toBe(1)
  })

  it('lets no peer answer for another, and no answer count twice', async () => {
    const mallory = await node.side('mallory')
    const fulfillment = randomBytes(32)
    const handle = node.send(alice, BOB, 10, { fulfillment })
    const { token } = bob.link.sent[0]!
    const packet = serializeIlpReply({ fulfillment, data: Buffer.alloc(0) })
    mallory.ears.reply(token, packet, 0, packet.length)
    mallory.ears.failed(token, 'unreachable', '')
    expect(node.reply(alice, handle)).toBeUndefined()
    bob.ears.reply(token, packet, 0, packet.length)
    bob.ears.reply(token, packet, 0, packet.length)
    await node.settle()
    bob.ears.reply(token, packet, 0, packet.length)
    await node.settle()
    expect(node.store.balancesByIndex).toEqual([-10n, 10n, 0n])
  })

  it.each([
    [SendOutcome.busy, 'T02'],
    [SendOutcome.unreachable, 'T01'],
  ])('gives the reservation back when the link answers %i: %s', (outcome, code) => {
    bob.link.outcome = outcome
    const handle = node.send(alice, BOB, 10)
    expect(node.code(alice, handle)).toBe(code)
    expect(alice.account.ledger.reserved).toBe(0)
    expect(node.forwarder.used).toBe(0)
  })

  it.each([
    ['unreachable', 'T01'],
    ['bad-answer', 'T00'],
    ['refused', 'F00'],
  ] as const)('answers a request that failed as %s with %s', (failure, code) => {
    const handle = node.send(alice, BOB, 10)
    bob.ears.failed(bob.link.sent[0]!.token, failure, 'reason')
    expect(node.code(alice, handle)).toBe(code)
    expect(alice.account.ledger.reserved).toBe(0)
  })

  it('survives a link that throws', () => {
    bob.link.onSend = () => {
      throw new Error('broken link')
    }
    const handle = node.send(alice, BOB, 10)
    expect(node.code(alice, handle)).toBe('T01')
    expect(node.forwarder.used).toBe(0)
  })

  it('takes an answer that comes from inside the send', async () => {
    const fulfillment = randomBytes(32)
    bob.link.onSend = () => node.fulfillLast(bob, fulfillment)
    const handle = node.send(alice, BOB, 10, { fulfillment })
    await node.settle()
    expect(node.code(alice, handle)).toBe('fulfilled')
  })

  it('answers T03 when no more packets may be in flight', async () => {
    node = await Harness.create({ capacity: 2 })
    alice = await node.side('alice')
    bob = await node.side('bob')
    const handles = [1, 2, 3].map(() => node.send(alice, BOB, 1))
    expect(handles.map((handle) => node.code(alice, handle))).toEqual([undefined, undefined, 'T03'])
    bob.ears.failed(bob.link.sent[0]!.token, 'unreachable', '')
    expect(node.code(alice, node.send(alice, BOB, 1))).toBeUndefined()
  })

  it('answers T00 to value while the books do not answer, and lets packets without value pass', async () => {
    node.store.failing = true
    const fulfillment = randomBytes(32)
    node.send(alice, BOB, 10, { fulfillment })
    node.fulfillLast(bob, fulfillment)
    await node.settle()
    expect(node.ledger.available).toBe(false)
    expect(node.code(alice, node.send(alice, BOB, 10))).toBe('T00')
    const free = node.send(alice, BOB, 0, { fulfillment })
    node.fulfillLast(bob, fulfillment)
    expect(node.code(alice, free)).toBe('fulfilled')
  })

  it('converts exactly, against the sender, and answers R01 when nothing would arrive', async () => {
    const carol = await node.side('carol', { asset: 'XRP', scale: 6 })
    node.send(carol, BOB, 7)
    expect(deserializeIlpPrepare(bob.link.sent.at(-1)!.packet).amount).toBe('3')
    expect(node.code(carol, node.send(carol, BOB, 1))).toBe('R01')
  })

  it('answers T00 when there is no rate', async () => {
    const carol = await node.side('carol', { asset: 'ABC' })
    const reply = node.reply(carol, node.send(carol, BOB, 7))
    expect(reply).toMatchObject({ code: 'T00', message: 'no current exchange rate from ABC to USD' })
  })

  it('answers F08 with the largest amount that can be converted', async () => {
    const carol = await node.side('carol', { scale: 0, credit: 2n ** 64n })
    const reply = node.reply(carol, node.send(carol, BOB, 2n ** 63n))
    expect(reply).toMatchObject({ code: 'F08' })
    expect((reply as { data: Buffer }).data.readBigUInt64BE(8)).toBe((2n ** 64n - 1n) / 1_000_000n)
  })

  it('keeps the limits of an account, each with its own code', async () => {
    const limited = async (settings: object) => node.side(`c${randomBytes(4).toString('hex')}`, { settings })
    const codes = (side: Side, amounts: number[]) =>
      amounts.map((amount) => node.code(side, node.send(side, BOB, amount)))
    expect(codes(await limited({ packetsPerSecond: 1, packetBurst: 2 }), [1, 1, 1])).toEqual([
      undefined,
      undefined,
      'T05',
    ])
    expect(codes(await limited({ maxPacketAmount: 5 }), [5, 6])).toEqual([undefined, 'F08'])
    expect(codes(await limited({ packetsInFlightMax: 1 }), [1, 1])).toEqual([undefined, 'T03'])
    expect(codes(await limited({ amountInFlightMax: 5 }), [3, 3])).toEqual([undefined, 'T04'])
    expect(codes(await limited({ incomingAmountPerSecond: 5n }), [3, 3])).toEqual([undefined, 'T04'])
    bob.account.change({ ...bob.account.settings, outgoingAmountPerSecond: 5n }, node.nowMs)
    expect(codes(alice, [3, 3])).toEqual([undefined, 'T04'])
    node.advance(1_000)
    expect(codes(alice, [3])).toEqual([undefined])
  })

  it('tells children and nobody else their address, and answers pings', async () => {
    const { encodeIldcpRequest, decodeIldcpReply } = await import('../../../src/ilp/ildcp.ts')
    const request = encodeIldcpRequest(node.nowMs + 5_000)
    alice.ears.prepare(900, request, 0, request.length)
    const reply = node.reply(alice, 900) as { data: Buffer }
    expect(decodeIldcpReply(reply.data)).toEqual({
      address: 'test.node.alice',
      assetCode: 'USD',
      assetScale: 6,
    })
    node.address.set('test.other')
    alice.ears.prepare(901, encodeIldcpRequest(node.nowMs + 5_000), 0, request.length)
    const again = node.reply(alice, 901) as { data: Buffer }
    expect(decodeIldcpReply(again.data).address).toBe('test.other.alice')
  })

  it('answers T03 while it drains and still passes replies on', async () => {
    const fulfillment = randomBytes(32)
    const open = node.send(alice, BOB, 10, { fulfillment })
    node.forwarder.drain()
    expect(node.code(alice, node.send(alice, BOB, 10))).toBe('T03')
    node.fulfillLast(bob, fulfillment)
    await node.settle()
    expect(node.code(alice, open)).toBe('fulfilled')
  })
})
