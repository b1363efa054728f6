import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import BtpPacket from 'btp-packet'
import { afterEach, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { acceptFor } from '../../../plugins/btp/handshake.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Logger } from '../../../src/lib/logger.ts'
import type { Link } from '../../../src/peers/link.ts'
import {
  btpListener,
  btpPlugin,
  foreignServer,
  linkContext,
  pluginDeps,
  QUICK_RECONNECT,
  TOKEN,
  urlOf,
} from '../../compliance/btp-harness.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'
import { waitFor } from '../../compliance/wait-for.ts'

describe('a BTP client link', () => {
  const stops: (() => unknown)[] = []
  const logged: { message: string; fields: Record<string, unknown> }[] = []
  const log = (message: string, fields: Record<string, unknown> = {}) => logged.push({ message, fields })
  const logger: Logger = { error: log, warn: log, info: log, debug: log, child: () => logger }

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop()
    logged.length = 0
  })

  const dial = async (url: string, options = {}, pluginOptions = {}) => {
    const plugin = btpPlugin(pluginOptions, { clock: systemClock, logger, random: () => 0.5 })
    stops.push(() => plugin.stop())
    const receiver = new RecordingReceiver()
    const link = plugin.openLink(
      linkContext(receiver, { mode: 'client', url, token: TOKEN, ...QUICK_RECONNECT, ...options }),
    )
    await link.start()
    return { link, receiver }
  }
  const waits = () => logged.map((line) => line.fields.waitMs).filter((wait) => wait !== undefined)
  const error = (link: Link, text: string) =>
    waitFor(`the error "${text}"`, () => link.status().lastError?.includes(text) === true)

  const foreign = async (onMessage: (socket: WebSocket, data: Buffer) => void) => {
    let logins = 0
    const server = await foreignServer((socket) => {
      socket.on('message', (data: Buffer) => {
        logins++
        onMessage(socket, data)
      })
    })
    stops.push(() => server.close())
    return { ...server, logins: () => logins }
  }
  const refuse = (socket: WebSocket, data: Buffer) => {
    const { requestId } = BtpPacket.deserialize(data)
    const triggeredAt = new Date().toISOString()
    socket.send(
      BtpPacket.serializeError(
        { code: 'F00', name: 'NotAcceptedError', triggeredAt, data: '' },
        requestId,
        [],
      ),
    )
  }

  it('shows its token and its user name as RFC 23 wants it', async () => {
    const frames: unknown[] = []
    const server = await foreign((_socket, data) => frames.push(BtpPacket.deserialize(data)))
    await dial(server.url, { username: 'bob' })
    await waitFor('the login', () => frames.length === 1)
    expect(frames[0]).toMatchObject({
      type: BtpPacket.TYPE_MESSAGE,
      data: {
        protocolData: [
          { protocolName: 'auth', contentType: 0, data: Buffer.alloc(0) },
          { protocolName: 'auth_username', contentType: 1, data: Buffer.from('bob') },
          { protocolName: 'auth_token', contentType: 1, data: Buffer.from(TOKEN) },
        ],
      },
    })
  })

  it('waits its longest after a refusal, says so, and gets in once the token is known', async () => {
    let isKnown = false
    const server = await foreign((socket, data) => {
      if (isKnown) socket.send(BtpPacket.serializeResponse(BtpPacket.deserialize(data).requestId, []))
      else refuse(socket, data)
    })
    const { link } = await dial(server.url, { reconnectMsMin: 10, reconnectMsMax: 100 })
    await error(link, 'the server refused our token (BTP error F00 NotAcceptedError)')
    await waitFor('three refusals', () => server.logins() >= 3)
    // Half of the longest wait is random: at 0.5 of it, three quarters of 100 ms.
    expect(new Set(waits())).toEqual(new Set([75]))
    isKnown = true
    await waitFor('the link', () => link.connected)
    expect(link.status()).toMatchObject({ connected: true, remote: `${server.url}/` })
    expect(JSON.stringify(logged)).not.toContain(TOKEN)
  })

  it('waits longer after each failure, up to its longest', async () => {
    const { link } = await dial('ws://127.0.0.1:1', { reconnectMsMin: 10, reconnectMsMax: 60 })
    await waitFor('five failures', () => waits().length >= 5)
    expect(waits().slice(0, 5)).toEqual([8, 15, 30, 45, 45])
    expect(link.status().lastError).toContain('ECONNREFUSED')
  })

  it('gives up on a server that does not answer the login, and on one that ends it', async () => {
    const silent = await foreign(() => undefined)
    const { link } = await dial(silent.url, {}, { authDeadlineMs: 60 })
    await error(link, 'no answer to our login within 60 ms')
    await waitFor('another try', () => silent.logins() >= 2)
    const rude = await foreign((socket) => socket.close(4_001))
    const { link: other } = await dial(rude.url)
    await error(other, 'code 4001')
  })

  it('gives up on a server that answers the login with rubbish', async () => {
    const server = await foreign((socket) => socket.send('hello'))
    const { link } = await dial(server.url)
    await error(link, 'something other than BTP')
  })

  it('is not taken in by an answer to another request', async () => {
    const server = await foreign((socket) => socket.send(BtpPacket.serializeResponse(1, [])))
    const { link, receiver } = await dial(server.url, {}, { authDeadlineMs: 60 })
    await error(link, 'no answer to our login')
    expect(receiver.connections).toBe(0)
  })

  it('names what is wrong with a server that speaks no WebSocket', async () => {
    const http = createServer((_request, response) => response.writeHead(404).end())
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    stops.push(
      () => http.closeAllConnections(),
      () => http.close(),
    )
    const { link } = await dial(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
    await error(link, 'HTTP 404')
  })

  /** A server that answers the handshake with these headers. */
  const handshakeServer = async (
    answer: (key: string) => string,
    onData: (socket: Socket) => void = () => undefined,
  ) => {
    const sockets = new Set<Socket>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('data', (chunk) => {
        const key = /sec-websocket-key: (\S+)/i.exec(chunk.toString('latin1'))?.[1] ?? ''
        socket.write(answer(key))
        socket.on('data', () => onData(socket))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    stops.push(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const upgrade = (key: string, more = '') =>
    `HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n${more}\r\n`

  it.each([
    ['a wrong accept key', () => upgrade('other'), 'did not understand'],
    ['another protocol', (key: string) => upgrade(key).replace('websocket', 'h2c'), 'other than WebSocket'],
    [
      'compression',
      (key: string) => upgrade(key, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'),
      'not offered',
    ],
    ['silence', () => '', 'no connection within'],
  ])('refuses a server that answers the handshake with %s', async (_name, answer, message) => {
    const { link } = await dial(await handshakeServer(answer), { connectDeadlineMs: 80 })
    await error(link, message)
    expect(link.connected).toBe(false)
  })

  it('notices a peer that has gone silent, though the connection stands', async () => {
    const login = BtpPacket.serializeResponse(0xffff_0000, [])
    let isIn = false
    const url = await handshakeServer(
      (key) => upgrade(key),
      (socket) => {
        if (!isIn) socket.write(Buffer.concat([Buffer.from([0x82, login.length]), login]))
        isIn = true
      },
    )
    const { receiver } = await dial(url, {}, { pingIntervalMs: 50 })
    await waitFor('the login', () => receiver.connections === 1)
    await waitFor('the loss', () => receiver.disconnections.length === 1)
    expect(receiver.disconnections[0]).toMatch(/^no sign of life for \d+ ms$/)
  })

  it('holds a quiet connection by pings', async () => {
    const plugin = btpListener({ pingIntervalMs: 40 })
    const serverReceiver = new RecordingReceiver()
    const server = plugin.openLink(linkContext(serverReceiver, { mode: 'server', token: TOKEN }))
    await plugin.start()
    await server.start()
    stops.push(() => plugin.stop())
    const { link, receiver } = await dial(urlOf(plugin), {}, { pingIntervalMs: 40 })
    await waitFor('the link', () => link.connected)
    const until = performance.now() + 400
    await waitFor('ten intervals', () => performance.now() > until)
    expect([...receiver.disconnections, ...serverReceiver.disconnections]).toEqual([])
  })

  it('comes back when the server has been restarted on the same port', async () => {
    const first = btpListener()
    await first.start()
    stops.push(() => first.stop())
    const url = urlOf(first)
    const open = async (plugin: typeof first) => {
      const link = plugin.openLink(linkContext(new RecordingReceiver(), { mode: 'server', token: TOKEN }))
      await link.start()
    }
    await open(first)
    const { link, receiver } = await dial(url)
    await waitFor('the link', () => link.connected)
    await first.stop()
    await waitFor('the loss', () => !link.connected)
    const second = btpPlugin({ listen: { host: '127.0.0.1', port: Number(new URL(url).port) } }, pluginDeps)
    await second.start()
    stops.push(() => second.stop())
    await open(second)
    await waitFor('the link', () => link.connected)
    expect(receiver.connections).toBe(2)
    expect(receiver.disconnections).toEqual(['the peer closed the connection with code 1001'])
  })

  it('stops at every step: while connecting, logging in, waiting', async () => {
    const silent = await handshakeServer(() => '')
    const { link: connecting } = await dial(silent)
    await connecting.stop()
    const server = await foreign(() => undefined)
    const { link: loggingIn } = await dial(server.url)
    await waitFor('the login', () => server.logins() === 1)
    await loggingIn.stop()
    await waitFor('the end of the socket', () => server.sockets.size === 0)
    const { link: waiting } = await dial('ws://127.0.0.1:1', {
      reconnectMsMin: 60_000,
      reconnectMsMax: 60_000,
    })
    await waitFor('a failure', () => waits().length > 0)
    await waiting.stop()
    await waiting.start()
    expect([connecting, loggingIn, waiting].some((link) => link.connected)).toBe(false)
  })
})
