import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { LinkConfigError, type Plugin } from '../../../src/peers/link.ts'
import {
  btpListener,
  btpPlugin,
  linkContext,
  QUICK_RECONNECT,
  TOKEN,
  urlOf,
} from '../../compliance/btp-harness.ts'
import { exchange } from '../../compliance/link-exchange.ts'
import { patternPacket } from '../../compliance/pattern-packet.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'
import { waitFor } from '../../compliance/wait-for.ts'

const fixture = (file: string) => join(import.meta.dirname, 'fixtures', file)
const tls = { certFile: fixture('localhost-cert.pem'), keyFile: fixture('localhost-key.pem') }

describe('the BTP listener', () => {
  const plugins: Plugin[] = []

  const started = async (plugin: Plugin) => {
    plugins.push(plugin)
    await plugin.start()
    return plugin
  }

  afterEach(async () => {
    for (const plugin of plugins.splice(0)) await plugin.stop()
  })

  /** Status and headers of the answer to a GET. */
  const get = (url: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number | undefined; version: string | undefined }>((resolve, reject) => {
      const sent = request(url.replace('ws:', 'http:'), { headers, agent: false }, (response) => {
        response.resume()
        resolve({ status: response.statusCode, version: response.headers['sec-websocket-version'] as string })
      })
      sent.on('error', reject)
      sent.end()
    })

  it('says where it listens, and nothing when it does not', async () => {
    const plugin = btpListener()
    expect(plugin.listening()).toEqual([])
    await started(plugin)
    expect(plugin.listening()).toEqual([expect.stringMatching(/^btp\+ws:\/\/127\.0\.0\.1:\d+$/)])
    await plugin.stop()
    await plugin.stop()
    expect(plugin.listening()).toEqual([])
    expect((await started(btpPlugin())).listening()).toEqual([])
  })

  it('answers plain HTTP with 426, and a bad handshake with 400', async () => {
    const url = urlOf(await started(btpListener()))
    expect(await get(url)).toMatchObject({ status: 426 })
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    expect(await get(url, { ...upgrade, 'sec-websocket-key': 'short' })).toMatchObject({ status: 400 })
    expect(await get(url, upgrade)).toMatchObject({ status: 400 })
    const key = Buffer.alloc(16).toString('base64')
    expect(await get(url, { ...upgrade, 'sec-websocket-key': key, 'sec-websocket-version': '8' })).toEqual({
      status: 426,
      version: '13',
    })
  })

  it('drops a client that speaks no HTTP', async () => {
    const { hostname, port } = new URL(urlOf(await started(btpListener())))
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    socket.write(Buffer.alloc(100, 0xff))
    await waitFor('the close', () => socket.destroyed)
  })

  it('takes up no compression, though it is offered', async () => {
    const url = urlOf(await started(btpListener()))
    const socket = new WebSocket(url, { perMessageDeflate: true })
    await waitFor('the upgrade', () => socket.readyState === WebSocket.OPEN)
    expect(socket.extensions).toBe('')
    socket.terminate()
  })

  it('rejects with a clear error when the port is taken', async () => {
    const first = await started(btpListener())
    const port = Number(new URL(urlOf(first)).port)
    const second = btpPlugin({ listen: { host: '127.0.0.1', port } })
    await expect(second.start()).rejects.toMatchObject({
      path: 'listen',
      message: expect.stringContaining('is taken'),
    })
  })

  it('ends its connections when it stops', async () => {
    const plugin = await started(btpListener())
    const socket = new WebSocket(urlOf(plugin))
    socket.on('error', () => undefined)
    await waitFor('the upgrade', () => socket.readyState === WebSocket.OPEN)
    await plugin.stop()
    await waitFor('the close', () => socket.readyState === WebSocket.CLOSED)
  })

  it('serves TLS to a client that knows its authority, and is refused by one that does not', async () => {
    const plugin = await started(btpListener({ tls }))
    expect(plugin.listening()[0]).toMatch(/^btp\+wss:/)
    const serverReceiver = new RecordingReceiver()
    const server = plugin.openLink(linkContext(serverReceiver, { mode: 'server', token: TOKEN }))
    await server.start()
    const dialler = await started(btpPlugin())
    const clientReceiver = new RecordingReceiver()
    const options = { mode: 'client', url: urlOf(plugin), token: TOKEN, ...QUICK_RECONNECT }
    const stranger = dialler.openLink(linkContext(new RecordingReceiver(), options))
    await stranger.start()
    await waitFor('the refusal', () => stranger.status().lastError?.startsWith('cannot connect') === true)
    await stranger.stop()
    const client = dialler.openLink(linkContext(clientReceiver, { ...options, caFile: tls.certFile }))
    await client.start()
    await waitFor('both links', () => client.connected && server.connected)
    const both = [
      { from: client, fromReceiver: clientReceiver, to: server, toReceiver: serverReceiver },
      { from: server, fromReceiver: serverReceiver, to: client, toReceiver: clientReceiver },
    ]
    for (const direction of both) {
      await exchange(direction, {
        token: 1,
        prepare: patternPacket(12, 33_857),
        reply: patternPacket(14, 41_997),
      })
      for (let token = 2; token < 50; token++) {
        await exchange(direction, { token, prepare: patternPacket(12, 300), reply: patternPacket(13, 300) })
      }
    }
  })

  it('keeps the deadline for login over TLS, and forgets it once a peer is in', async () => {
    const plugin = await started(btpListener({ tls, authDeadlineMs: 200 }))
    const receiver = new RecordingReceiver()
    const link = plugin.openLink(linkContext(receiver, { mode: 'server', token: TOKEN }))
    await link.start()
    const { port } = new URL(urlOf(plugin))
    const dialler = await started(btpPlugin())
    const options = { mode: 'client', url: urlOf(plugin), token: TOKEN, caFile: tls.certFile }
    const client = dialler.openLink(linkContext(new RecordingReceiver(), options))
    await client.start()
    await waitFor('the login', () => link.connected)
    const silent = connectTls({ port: Number(port), host: '127.0.0.1', ca: readFileSync(tls.certFile) })
    const noTls = connect(Number(port), '127.0.0.1')
    for (const socket of [silent, noTls]) socket.on('error', () => undefined)
    await waitFor('the cuts', () => silent.destroyed && noTls.destroyed)
    expect(receiver.disconnections).toEqual([])
  })

  it('says which TLS file cannot be used', async () => {
    const missing = btpListener({ tls: { ...tls, keyFile: '/no/such/key.pem' } })
    await expect(missing.start()).rejects.toMatchObject({ path: 'tls.keyFile' })
    const swapped = btpListener({ tls: { certFile: tls.keyFile, keyFile: tls.certFile } })
    await expect(swapped.start()).rejects.toBeInstanceOf(LinkConfigError)
    expect(readFileSync(tls.keyFile, 'utf8')).toContain('PRIVATE KEY')
  })
})
