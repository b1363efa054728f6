import type { Socket } from 'node:net'
import BtpPacket from 'btp-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Link, type Plugin, SendOutcome } from '../../../src/peers/link.ts'
import { btpListener, linkContext, TOKEN, urlOf } from '../../compliance/btp-harness.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { authEntries, entry, ForeignClient } from './foreign-client.ts'

const later = () => Date.now() + 30_000

describe('a BTP session', () => {
  let plugin: Plugin
  let link: Link
  let receiver: RecordingReceiver
  let client: ForeignClient

  beforeEach(async () => {
    plugin = btpListener()
    receiver = new RecordingReceiver()
    link = plugin.openLink(linkContext(receiver, { mode: 'server', token: TOKEN }))
    await plugin.start()
    await link.start()
    client = await ForeignClient.logIn(urlOf(plugin), TOKEN)
  })

  afterEach(async () => {
    client.end()
    await plugin.stop()
  })

  const send = (token: number, expiresAtMs = later()) =>
    link.sendPrepare(token, Buffer.from('prepare'), 0, 7, expiresAtMs)
  /** Everything sent before has been handled once this has been answered. */
  const roundTrip = async () => {
    const before = client.frames.length
    client.message(0xeeee_eeee, [entry('no-such-protocol', '')])
    await client.received(before + 1)
    return client.frames.splice(before, 1)[0]!
  }

  it.each([
    ['an unknown protocol', [entry('balance', 'x')], 'F00', 'NotAcceptedError'],
    ['another login', authEntries(TOKEN), 'F00', 'NotAcceptedError'],
    ['no entry', [], 'F00', 'NotAcceptedError'],
    ['ilp as second entry', [entry('info', ''), entry('ilp', 'abc')], 'F00', 'NotAcceptedError'],
    ['a name twice', [entry('ilp', 'abc'), entry('ilp', 'abc')], 'F01', 'InvalidFieldsError'],
  ])('answers a Message with %s by an Error', async (_name, entries, code, name) => {
    client.message(12, entries)
    const [answer] = await client.received(1)
    expect(answer).toMatchObject({ type: BtpPacket.TYPE_ERROR, requestId: 12, data: { code, name } })
    expect(receiver.prepares).toEqual([])
  })

  it('refuses a Transfer: nothing is credited here', async () => {
    client.socket.send(BtpPacket.serializeTransfer({ amount: '5' }, 13, [entry('claim', 'x')]))
    const [answer] = await client.received(1)
    expect(answer).toMatchObject({ type: BtpPacket.TYPE_ERROR, requestId: 13, data: { code: 'F00' } })
  })

  it('takes a Message with ilp first and further entries', async () => {
    client.message(14, [entry('ilp', 'abc'), entry('info', 'context')])
    await waitFor('the prepare', () => receiver.prepares.length === 1)
    expect(receiver.prepares[0]!.packet.toString()).toBe('abc')
  })

  it('leaves the first request alone when its id is used again, and answers once', async () => {
    client.message(15, [entry('ilp', 'first')])
    client.message(15, [entry('ilp', 'second')])
    await roundTrip()
    expect(receiver.prepares.map(({ packet }) => packet.toString())).toEqual(['first'])
    expect(receiver.protocolErrors).toEqual(['the peer used the id of an open request again'])
    expect(client.frames).toEqual([])
    const { handle } = receiver.prepares[0]!
    link.sendReply(handle, Buffer.from('reply'), 0, 5)
    const [answer] = await client.received(1)
    expect(answer).toEqual({
      type: BtpPacket.TYPE_RESPONSE,
      requestId: 15,
      data: { protocolData: [entry('ilp', 'reply')] },
    })
    client.message(15, [entry('ilp', 'third')])
    await waitFor('the id to be usable again', () => receiver.prepares.length === 2)
    expect(receiver.prepares[1]!.handle).toBe(handle)
  })

  it.each([
    ['F00', 'refused'],
    ['F08', 'refused'],
    ['T00', 'unreachable'],
    ['X99', 'bad-answer'],
  ])('reports an Error %s as %s', async (code, failure) => {
    send(20)
    await client.received(1)
    client.error(20, code, 'Some\nError')
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toEqual({
      token: 20,
      failure,
      message: `the peer answered with BTP error ${code} Some?Error`,
    })
  })

  it.each([
    ['without an entry', []],
    ['with another entry', [entry('info', 'x')]],
    ['with ilp as second entry', [entry('info', 'x'), entry('ilp', 'abc')]],
  ])('reports a Response %s as a bad answer', async (_name, entries) => {
    send(21)
    await client.received(1)
    client.response(21, entries)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toMatchObject({ token: 21, failure: 'bad-answer' })
  })

  it('hears the first answer only, and none to requests it did not make', async () => {
    send(22)
    await client.received(1)
    client.response(22, [entry('ilp', 'one')])
    client.response(22, [entry('ilp', 'two')])
    client.error(22, 'F00')
    client.response(23, [entry('ilp', 'three')])
    client.response(0xffff_0000, [])
    await roundTrip()
    expect(receiver.replies.map(({ token, packet }) => [token, packet.toString()])).toEqual([[22, 'one']])
    expect(receiver.failures).toEqual([])
    expect(receiver.protocolErrors).toHaveLength(4)
    expect(client.frames).toHaveLength(1)
  })

  it('still hands over an answer that comes after the expiry', async () => {
    send(24, Date.now() - 10)
    await client.received(1)
    client.response(24, [entry('ilp', 'late')])
    await waitFor('the late reply', () => receiver.replies.length === 1)
  })

  it('reports what was open when the connection is lost, but nothing that had expired', async () => {
    for (let token = 0; token < 1_000; token++) send(token)
    send(5_000, Date.now() - 1)
    await client.received(1_001)
    client.response(7, [entry('ilp', 'reply')])
    await waitFor('the reply', () => receiver.replies.length === 1)
    client.end()
    await waitFor('the loss', () => receiver.disconnections.length === 1)
    expect(new Set(receiver.failures.map((each) => each.token)).size).toBe(999)
    expect(receiver.failures.every((each) => each.failure === 'unreachable' && each.token < 1_000)).toBe(true)
    expect(send(6_000)).toBe(SendOutcome.unreachable)
    expect(link.status()).toMatchObject({ connected: false, lastError: expect.any(String) })
  })

  it('holds no more requests than its bound, and takes new ones once the old have expired', async () => {
    let sent = 0
    while (sent < 70_000 && send(sent, Date.now() - 1) === SendOutcome.sent) sent++
    // All of them have expired, so there is always room for the next.
    expect(sent).toBe(70_000)
    expect(send(100_000)).toBe(SendOutcome.sent)
  })

  it('answers T00 when a peer holds more requests open than any peer may', async () => {
    for (let id = 0; id < 65_536; id++) client.message(id, [entry('ilp', 'x')])
    client.message(70_000, [entry('ilp', 'x')])
    const [answer] = await client.received(1)
    expect(answer).toMatchObject({ type: BtpPacket.TYPE_ERROR, requestId: 70_000, data: { code: 'T00' } })
    expect(receiver.prepares).toHaveLength(65_536)
  })

  it('closes with 1009 on a message over 44,000 bytes, and takes one of exactly that', async () => {
    const most = BtpPacket.serializeMessage(1, [entry('ilp', Buffer.alloc(44_000 - 18))])
    expect(most.length).toBe(44_000)
    client.socket.send(most)
    await waitFor('the prepare', () => receiver.prepares.length === 1)
    client.socket.send(Buffer.alloc(44_001))
    expect(await client.closed()).toBe(1009)
    await waitFor('the loss', () => receiver.disconnections.length === 1)
  })

  it.each([
    ['a frame that is not masked', '820161', 1002],
    ['reserved bits', 'c28100000000', 1002],
    ['a continuation of nothing', '808000000000', 1002],
    ['a ping that is too long', '89fe007e00000000', 1002],
    ['a close frame without a valid code', '88820000000003ed', 1002],
    ['text that is not UTF-8', '818100000000ff', 1007],
    ['the promise of a terabyte', '82ff0000010000000000', 1009],
  ])('closes on %s with the right code', async (_name, bytes, code) => {
    const { _socket: socket } = client.socket as unknown as { _socket: Socket }
    socket.write(Buffer.from(bytes, 'hex'))
    expect(await client.closed()).toBe(code)
    await waitFor('the loss', () => receiver.disconnections.length === 1)
    expect(receiver.disconnections[0]).toContain('broke the WebSocket protocol')
  })

  it('answers a close frame with its code', async () => {
    client.socket.close(4_000, 'bye')
    expect(await client.closed()).toBe(4_000)
    expect(receiver.disconnections).toEqual(['the peer closed the connection with code 4000'])
  })
})
