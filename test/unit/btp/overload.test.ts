import { connect, type Socket } from 'node:net'
import BtpPacket from 'btp-packet'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocketConnection } from '../../../plugins/btp/web-socket-connection.ts'
import { type Link, type LinkReceiver, type Plugin, SendOutcome } from '../../../src/peers/link.ts'
import { btpListener, btpPlugin, linkContext, TOKEN, urlOf } from '../../compliance/btp-harness.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { entry, ForeignClient } from './foreign-client.ts'
import { loginFrame, maskedFrame, rawClient } from './raw-socket.ts'

const later = () => Date.now() + 60_000
const MIB = 1_024 * 1_024

describe('a BTP listener under overload', () => {
  const stops: (() => unknown)[] = []

  afterEach(async () => {
    vi.restoreAllMocks()
    for (const stop of stops.splice(0).reverse()) await stop()
  })

  const listen = async (
    receiver: LinkReceiver,
    options = {},
  ): Promise<{ plugin: Plugin; link: Link; url: string }> => {
    const plugin = btpListener(options)
    const link = plugin.openLink(linkContext(receiver, { mode: 'server', token: TOKEN }))
    await plugin.start()
    await link.start()
    stops.push(() => plugin.stop())
    return { plugin, link, url: urlOf(plugin) }
  }

  it('keeps serving, and lets peers in, while 500 sockets do not log in', async () => {
    const receiver = new RecordingReceiver()
    const { plugin, link, url } = await listen(receiver)
    const echo = (): LinkReceiver => {
      const own: LinkReceiver = new RecordingReceiver()
      own.prepare = (handle, packet, start, end) => client.sendReply(handle, packet, start, end)
      return own
    }
    const dialler = btpPlugin()
    const client = dialler.openLink(linkContext(echo(), { mode: 'client', url, token: TOKEN }))
    await client.start()
    stops.push(() => dialler.stop())
    await waitFor('the link', () => link.connected)

    const flood: Socket[] = []
    stops.push(() => {
      for (const socket of flood) socket.destroy()
    })
    const { hostname, port } = new URL(url)
    let replies = 0
    for (let count = 0; count < 500; count++) {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      if (count % 2 === 0) socket.write('GET / HTTP/1.1\r\nX-Drip: ')
      flood.push(socket)
      const packet = Buffer.alloc(100, count)
      expect(link.sendPrepare(count, packet, 0, 100, later())).toBe(SendOutcome.sent)
      if (count % 50 === 0) await waitFor('the replies', () => receiver.replies.length >= count)
      replies = count + 1
    }
    await waitFor('all replies', () => receiver.replies.length === replies)
    expect(receiver.failures).toEqual([])
    expect(receiver.disconnections).toEqual([])

    const bob = plugin.openLink(
      linkContext(new RecordingReceiver(), { mode: 'server', token: 'the-token-of-bob-0123456789' }, 'bob'),
    )
    await bob.start()
    const late = await ForeignClient.logIn(url, 'the-token-of-bob-0123456789')
    stops.push(() => late.end())
    expect(bob.connected).toBe(true)
    await waitFor(
      'the oldest of the flood to be cut',
      () => flood.filter((each) => each.destroyed).length >= 400,
    )
    expect(flood.filter((each) => !each.destroyed).length).toBeLessThanOrEqual(100)
  })

  it('takes a flood in small turns, so that other peers are served meanwhile', async () => {
    const receiver = new RecordingReceiver()
    let turn = 0
    const perTurn = new Map<number, number>()
    let received = 0
    receiver.prepare = () => {
      received++
      perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1)
    }
    const { link, url } = await listen(receiver)
    const socket = await rawClient(url)
    stops.push(() => socket.destroy())
    socket.write(loginFrame(TOKEN))
    await waitFor('the login', () => link.connected)

    let counting = true
    const count = () => {
      turn++
      if (counting) setImmediate(count)
    }
    count()
    const flood = Buffer.concat(
      Array.from({ length: 4_000 }, (_, id) =>
        maskedFrame(BtpPacket.serializeMessage(id, [entry('ilp', Buffer.alloc(480))])),
      ),
    )
    socket.write(flood)
    await waitFor('the whole flood', () => received === 4_000)
    counting = false
    const frameLength = flood.length / 4_000
    const bytesInOneTurn = Math.max(...perTurn.values()) * frameLength
    expect(perTurn.size).toBeGreaterThan(10)
    expect(bytesInOneTurn).toBeLessThan(2 * 65_536 + frameLength)
  })

  const floodOf = async (requestWindow: number, receiver: LinkReceiver) => {
    const { link, url } = await listen(receiver, { requestWindow })
    const socket = await rawClient(url)
    stops.push(() => socket.destroy())
    socket.resume()
    socket.write(loginFrame(TOKEN))
    await waitFor('the login', () => link.connected)
    const request = (id: number) =>
      maskedFrame(BtpPacket.serializeMessage(id, [entry('ilp', Buffer.alloc(480))]))
    socket.write(Buffer.concat(Array.from({ length: 3_000 }, (_, id) => request(id))))
    return link
  }

  it('holds a peer with too many open requests, and reads on once they are answered', async () => {
    const hold = vi.spyOn(WebSocketConnection.prototype, 'hold')
    const receiver = new RecordingReceiver()
    const open: number[] = []
    let received = 0
    receiver.prepare = (handle) => {
      received++
      open.push(handle)
    }
    const link = await floodOf(64, receiver)
    await waitFor('the hold', () => hold.mock.calls.length > 0)
    // Two chunks may have come before the socket stopped.
    expect(received).toBeLessThan(64 + (2 * 65_536) / 480)
    const answer = Buffer.from([14, 0])
    receiver.prepare = (handle) => {
      received++
      link.sendReply(handle, answer, 0, answer.length)
    }
    for (const handle of open) link.sendReply(handle, answer, 0, answer.length)
    await waitFor('the whole flood', () => received === 3_000)
  })

  it('never holds a peer for good, whose own answers may be what is waited for', async () => {
    const hold = vi.spyOn(WebSocketConnection.prototype, 'hold')
    const receiver = new RecordingReceiver()
    let received = 0
    receiver.prepare = () => void received++
    await floodOf(64, receiver)
    await waitFor('the whole flood', () => received === 3_000)
    expect(hold.mock.calls.length).toBeGreaterThan(5)
  })

  it('tells the node that a slow reader is busy, then cuts it', async () => {
    const receiver = new RecordingReceiver()
    const { link, url } = await listen(receiver, { stallMsMax: 300 })
    const socket = await rawClient(url)
    stops.push(() => socket.destroy())
    socket.write(loginFrame(TOKEN))
    await waitFor('the login', () => link.connected)

    const packet = Buffer.alloc(30_000, 1)
    let sent = 0
    let outcome: number = SendOutcome.sent
    // Loopback itself holds some megabytes before our own buffer fills.
    while (sent < 3_000) {
      outcome = link.sendPrepare(sent, packet, 0, packet.length, later())
      if (outcome !== SendOutcome.sent) break
      sent++
      if (sent % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(outcome).toBe(SendOutcome.busy)
    expect(sent * packet.length).toBeGreaterThan(4 * MIB)
    await waitFor('the cut', () => receiver.disconnections.length === 1)
    expect(receiver.disconnections[0]).toMatch(/^the peer read nothing for \d+ ms$/)
    expect(receiver.failures).toHaveLength(sent)
    expect(receiver.failures.every((each) => each.failure === 'unreachable')).toBe(true)
  })

  it('takes up sending again when a slow reader has caught up', async () => {
    const { link, url } = await listen(new RecordingReceiver())
    const socket = await rawClient(url)
    stops.push(() => socket.destroy())
    socket.write(loginFrame(TOKEN))
    await waitFor('the login', () => link.connected)
    const packet = Buffer.alloc(30_000, 1)
    let token = 0
    const fill = () => {
      while (link.sendPrepare(token, packet, 0, packet.length, later()) === SendOutcome.sent) token++
    }
    fill()
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.resume()
    await waitFor('all bytes to arrive', () => bytes >= token * packet.length)
    expect(link.sendPrepare(token, packet, 0, packet.length, later())).toBe(SendOutcome.sent)
    expect(link.connected).toBe(true)
  })

  it('cuts a peer that asks without end and reads no answer', async () => {
    const receiver = new RecordingReceiver()
    const answer = Buffer.alloc(41_997, 14)
    receiver.prepare = (handle) => link.sendReply(handle, answer, 0, answer.length)
    const { link, url } = await listen(receiver)
    const socket = await rawClient(url)
    stops.push(() => socket.destroy())
    socket.write(loginFrame(TOKEN))
    await waitFor('the login', () => link.connected)
    for (let id = 0; id < 2_000 && receiver.disconnections.length === 0; id++) {
      socket.write(maskedFrame(BtpPacket.serializeMessage(id, [entry('ilp', 'x')])))
      if (id % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await waitFor('the cut', () => receiver.disconnections.length === 1)
    expect(receiver.disconnections).toEqual(['the peer reads too slowly'])
  })
})
