import BtpPacket from 'btp-packet'
import {
  deserializeIlpPrepare,
  serializeIlpFulfill,
  serializeIlpPrepare,
  serializeIlpReject,
} from 'ilp-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PEER_PROTOCOL_CONDITION } from '../../../src/ilp/ildcp.ts'
import type { Link, Plugin } from '../../../src/peers/link.ts'
import { btpListener, linkContext, TOKEN, urlOf } from '../../compliance/btp-harness.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { entry, ForeignClient } from './foreign-client.ts'

const FULFILLMENT = Buffer.alloc(32)
const toSettle = (data: string, destination = 'peer.settle') =>
  serializeIlpPrepare({
    amount: '0',
    expiresAt: new Date(Date.now() + 30_000),
    executionCondition: PEER_PROTOCOL_CONDITION,
    destination,
    data: Buffer.from(data),
  })

describe('settlement messages over BTP', () => {
  let plugin: Plugin
  let link: Link
  let receiver: RecordingReceiver
  let client: ForeignClient

  const open = async (settlementMessages: string) => {
    plugin = btpListener()
    receiver = new RecordingReceiver()
    link = plugin.openLink(linkContext(receiver, { mode: 'server', token: TOKEN, settlementMessages }))
    await plugin.start()
    await link.start()
    client = await ForeignClient.logIn(urlOf(plugin), TOKEN)
  }
  const send = (token: number, packet: Buffer) =>
    link.sendPrepare(token, packet, 0, packet.length, Date.now() + 30_000)

  beforeEach(async () => await open('sub-protocol'))
  afterEach(async () => {
    client.end()
    await plugin.stop()
  })

  it('of the peer come to the node as Prepares, and are answered as they came', async () => {
    client.message(7, [entry('settlement', 'hello')])
    await waitFor('the message', () => receiver.prepares.length === 1)
    const { handle, packet } = receiver.prepares[0]!
    expect(deserializeIlpPrepare(packet)).toMatchObject({
      amount: '0',
      destination: 'peer.settle',
      executionCondition: PEER_PROTOCOL_CONDITION,
      data: Buffer.from('hello'),
    })
    const fulfill = serializeIlpFulfill({ fulfillment: FULFILLMENT, data: Buffer.from('welcome') })
    link.sendReply(handle, fulfill, 0, fulfill.length)
    const [answer] = await client.received(1)
    expect(answer).toEqual({
      type: BtpPacket.TYPE_RESPONSE,
      requestId: 7,
      data: { protocolData: [entry('settlement', 'welcome')] },
    })
  })

  it.each([
    ['F00', 'F00', 'bad-voucher: too much'],
    ['T00', 'T00', 'the engine is away'],
  ])('of the peer that are refused with %s are answered by an Error %s', async (code, expected, message) => {
    client.message(8, [entry('settlement', 'hello')])
    await waitFor('the message', () => receiver.prepares.length === 1)
    const reject = serializeIlpReject({ code, triggeredBy: '', message, data: Buffer.alloc(0) })
    link.sendReply(receiver.prepares[0]!.handle, reject, 0, reject.length)
    const [answer] = await client.received(1)
    expect(answer).toMatchObject({
      type: BtpPacket.TYPE_ERROR,
      requestId: 8,
      data: { code: expected, protocolData: [entry('settlement', message)] },
    })
  })

  it('of ours go as entries, and what comes back is a Fulfill or a Reject to the node', async () => {
    send(1, toSettle('voucher'))
    send(2, toSettle('voucher'))
    const frames = await client.received(2)
    expect(frames.map(({ data }) => data)).toEqual([
      { protocolData: [entry('settlement', 'voucher')] },
      { protocolData: [entry('settlement', 'voucher')] },
    ])
    client.socket.send(BtpPacket.serializeResponse(1, [entry('settlement', 'taken')]))
    const refusal = {
      code: 'F00',
      name: 'NotAcceptedError',
      triggeredAt: new Date().toISOString(),
      data: '',
    }
    client.socket.send(BtpPacket.serializeError(refusal, 2, [entry('settlement', 'stale-voucher: too late')]))
    await waitFor('both answers', () => receiver.replies.length === 2)
    expect(receiver.replies.map(({ packet }) => packet)).toEqual([
      serializeIlpFulfill({ fulfillment: FULFILLMENT, data: Buffer.from('taken') }),
      serializeIlpReject({
        code: 'F00',
        triggeredBy: '',
        message: 'stale-voucher: too late',
        data: Buffer.alloc(0),
      }),
    ])
  })

  it('leave other packets alone', async () => {
    const packet = toSettle('x', 'test.alice')
    send(3, packet)
    const [frame] = await client.received(1)
    expect(frame!.data).toEqual({
      protocolData: [
        { protocolName: 'ilp', contentType: BtpPacket.MIME_APPLICATION_OCTET_STREAM, data: packet },
      ],
    })
  })

  it('are not taken beyond 32 at once', async () => {
    for (let id = 100; id < 133; id++) client.message(id, [entry('settlement', 'hello')])
    const [answer] = await client.received(1)
    // Not F00: it is no refusal, the message may be sent again.
    expect(answer).toMatchObject({ type: BtpPacket.TYPE_ERROR, requestId: 132, data: { code: 'T00' } })
    expect(receiver.prepares).toHaveLength(32)
  })

  it('are forgotten with the connection', async () => {
    client.message(9, [entry('settlement', 'hello')])
    await waitFor('the message', () => receiver.prepares.length === 1)
    const { handle } = receiver.prepares[0]!
    client.end()
    await waitFor('the loss', () => !link.connected)
    client = await ForeignClient.logIn(urlOf(plugin), TOKEN)
    const fulfill = serializeIlpFulfill({ fulfillment: FULFILLMENT, data: Buffer.alloc(0) })
    link.sendReply(handle, fulfill, 0, fulfill.length)
    client.message(10, [entry('settlement', 'again')])
    await waitFor('the next message', () => receiver.prepares.length === 2)
    expect(client.frames).toEqual([])
  })
})

describe('settlement messages over BTP without the sub-protocol', () => {
  it('of ours go in ILP packets', async () => {
    const plugin = btpListener()
    const link = plugin.openLink(linkContext(new RecordingReceiver(), { mode: 'server', token: TOKEN }))
    await plugin.start()
    await link.start()
    const client = await ForeignClient.logIn(urlOf(plugin), TOKEN)
    try {
      const packet = toSettle('voucher')
      link.sendPrepare(1, packet, 0, packet.length, Date.now() + 30_000)
      const [frame] = await client.received(1)
      const entries = (frame!.data as { protocolData: { protocolName: string }[] }).protocolData
      expect(entries.map(({ protocolName }) => protocolName)).toEqual(['ilp'])
    } finally {
      client.end()
      await plugin.stop()
    }
  })
})
