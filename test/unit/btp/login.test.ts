import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import BtpPacket from 'btp-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Link, Plugin } from '../../../src/peers/link.ts'
import { btpListener, linkContext, TOKEN, urlOf } from '../../compliance/btp-harness.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { authEntries, entry, ForeignClient } from './foreign-client.ts'

const AUTH_DEADLINE_MS = 400

describe('login at the BTP listener', () => {
  let plugin: Plugin
  let link: Link
  let receiver: RecordingReceiver
  let url: string
  const clients: ForeignClient[] = []

  beforeEach(async () => {
    plugin = btpListener({ authDeadlineMs: AUTH_DEADLINE_MS })
    receiver = new RecordingReceiver()
    link = plugin.openLink(linkContext(receiver, { mode: 'server', token: TOKEN }))
    await plugin.start()
    await link.start()
    url = urlOf(plugin)
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.end()
    await plugin.stop()
  })

  const open = async () => {
    const client = await ForeignClient.open(url)
    clients.push(client)
    return client
  }

  it('takes the right token, with and without a user name of any kind', async () => {
    for (const username of [undefined, '', 'alice', 'somebody-else']) {
      const client = await open()
      const name = username === undefined ? [] : [entry('auth_username', username, 1)]
      client.message(4_711, [entry('auth', ''), ...name, entry('auth_token', TOKEN, 1)])
      const [answer] = await client.received(1)
      expect(answer).toEqual({ type: BtpPacket.TYPE_RESPONSE, requestId: 4_711, data: { protocolData: [] } })
      expect(link.connected).toBe(true)
    }
  })

  it('takes a token known only by its SHA-256', async () => {
    const other = new RecordingReceiver()
    const token = 'another-token-of-good-length'
    const hash = createHash('sha256').update(token).digest('hex')
    const hashed = plugin.openLink(linkContext(other, { mode: 'server', tokenSha256: hash }, 'bob'))
    await hashed.start()
    clients.push(await ForeignClient.logIn(url, token))
    expect(hashed.connected).toBe(true)
    expect(link.connected).toBe(false)
  })

  it.each([
    ['a wrong token', [entry('auth', ''), entry('auth_token', `${TOKEN}x`, 1)], 'F00'],
    ['an empty token', [entry('auth', ''), entry('auth_token', '', 1)], 'F00'],
    ['no token', [entry('auth', '')], 'F00'],
    ['something else first', [entry('ilp', 'abc')], 'F00'],
    ['no entry', [], 'F00'],
    ['auth as second entry', [entry('auth_token', TOKEN, 1), entry('auth', '')], 'F00'],
    ['a name twice', [...authEntries(TOKEN), entry('auth_token', TOKEN, 1)], 'F01'],
  ])('refuses %s with an Error and closes', async (_name, entries, code) => {
    const client = await open()
    client.message(5, entries)
    const [answer] = await client.received(1)
    expect(answer).toMatchObject({ type: BtpPacket.TYPE_ERROR, requestId: 5, data: { code } })
    expect(await client.closed()).toBe(1008)
    expect(receiver.calls).toBe(0)
  })

  it('refuses a first frame that is not a Message, and says nothing to one it cannot read', async () => {
    const transfer = await open()
    transfer.socket.send(BtpPacket.serializeTransfer({ amount: '1' }, 6, authEntries(TOKEN)))
    const [answer] = await transfer.received(1)
    expect(answer).toMatchObject({ type: BtpPacket.TYPE_ERROR, requestId: 6, data: { code: 'F00' } })
    const unreadable = await open()
    unreadable.socket.send(Buffer.from('hello'))
    expect(await unreadable.closed()).toBe(1008)
    expect(unreadable.frames).toEqual([])
  })

  it('answers a ping before login', async () => {
    const client = await open()
    client.socket.ping()
    await waitFor('the pong', () => client.pongs === 1)
  })

  it('cuts a socket that does not log in in time, at whichever step it stops', async () => {
    const { hostname, port } = new URL(url)
    const silent = connect(Number(port), hostname)
    const closed = new Promise((resolve) => silent.on('close', resolve))
    silent.on('error', () => undefined)
    const client = await open()
    const dripping = setInterval(() => client.socket.ping(), 20)
    await closed
    await client.closed()
    clearInterval(dripping)
    expect(link.connected).toBe(false)
  })

  it('cuts a socket that sends too much before login', async () => {
    const client = await open()
    const sentAt = performance.now()
    for (let count = 0; count < 200; count++) client.socket.ping(Buffer.alloc(125))
    await client.closed()
    expect(performance.now() - sentAt).toBeLessThan(AUTH_DEADLINE_MS)
    const long = await open()
    long.socket.send(Buffer.alloc(4_097))
    expect(await long.closed()).toBe(1009)
  })

  it('keeps a logged-in socket beyond the deadline', async () => {
    const client = await ForeignClient.logIn(url, TOKEN)
    clients.push(client)
    const idle = await open()
    await idle.closed()
    expect(client.closeCode).toBeUndefined()
    expect(link.connected).toBe(true)
  })

  it('lets a newer login of an account take the place of the older', async () => {
    const first = await ForeignClient.logIn(url, TOKEN)
    clients.push(first)
    first.message(1, [entry('ilp', 'from the first')])
    await waitFor('the prepare', () => receiver.prepares.length === 1)
    const second = await ForeignClient.logIn(url, TOKEN)
    clients.push(second)
    expect(await first.closed()).toBe(1008)
    expect(receiver.connections).toBe(2)
    expect(receiver.disconnections).toEqual(['the peer opened a new connection'])
    second.message(1, [entry('ilp', 'from the second')])
    await waitFor('the prepare', () => receiver.prepares.length === 2)
    expect(receiver.prepares[1]!.handle).not.toBe(receiver.prepares[0]!.handle)
    // Same request id, and the request of the second is open: the stale handle must not answer it.
    const packet = Buffer.from('for the second')
    link.sendReply(receiver.prepares[0]!.handle, Buffer.from('for the first.'), 0, packet.length)
    link.sendReply(receiver.prepares[1]!.handle, packet, 0, packet.length)
    const [answer] = await second.received(1)
    expect(answer).toMatchObject({ requestId: 1, data: { protocolData: [entry('ilp', packet)] } })
    expect(second.frames).toHaveLength(1)
    expect(link.connected).toBe(true)
  })

  it('tells accounts apart by their tokens alone', async () => {
    const bobReceiver = new RecordingReceiver()
    const bobToken = 'the-token-of-bob-0123456789'
    const bob = plugin.openLink(linkContext(bobReceiver, { mode: 'server', token: bobToken }, 'bob'))
    await bob.start()
    const client = await open()
    client.message(1, [
      entry('auth', ''),
      entry('auth_username', 'alice', 1),
      entry('auth_token', bobToken, 1),
    ])
    await client.received(1)
    client.message(2, [entry('ilp', 'abc')])
    await waitFor('the prepare', () => bobReceiver.prepares.length === 1)
    expect(receiver.calls).toBe(0)
  })

  it('refuses two accounts with one token, and lets one account be opened anew', async () => {
    expect(() => plugin.openLink(linkContext(receiver, { mode: 'server', token: TOKEN }, 'bob'))).toThrow(
      'account "alice" has the same token',
    )
    clients.push(await ForeignClient.logIn(url, TOKEN))
    const later = new RecordingReceiver()
    const renewed = plugin.openLink(linkContext(later, { mode: 'server', token: TOKEN }))
    await renewed.start()
    expect(link.connected).toBe(false)
    clients.push(await ForeignClient.logIn(url, TOKEN))
    expect(renewed.connected).toBe(true)
    expect(later.connections).toBe(1)
  })

  it('does not know an account whose link has stopped', async () => {
    await link.stop()
    await expect(ForeignClient.logIn(url, TOKEN)).rejects.toThrow('the login was refused')
  })
})
