import type { AddressInfo } from 'node:net'
import IlpPluginBtp from 'ilp-plugin-btp'
import { afterEach, describe, expect, it } from 'vitest'
import { type Link, type Plugin, SendOutcome } from '../../src/peers/link.ts'
import {
  btpListener,
  btpPlugin,
  linkContext,
  QUICK_RECONNECT,
  TOKEN,
  urlOf,
} from '../compliance/btp-harness.ts'
import { patternPacket } from '../compliance/pattern-packet.ts'
import { RecordingReceiver } from '../compliance/recording-receiver.ts'
import { tcpProxy } from '../compliance/tcp-proxy.ts'
import { waitFor } from '../compliance/wait-for.ts'

/** The class, whichever way the old module is read. */
const ForeignPlugin = ((IlpPluginBtp as unknown as { default?: unknown }).default ?? IlpPluginBtp) as new (
  options: object,
) => {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  sendData(data: Buffer): Promise<Buffer>
  registerDataHandler(handler: (data: Buffer) => Promise<Buffer>): void
  _wss: { address(): AddressInfo }
}
type Foreign = InstanceType<typeof ForeignPlugin>

const later = () => Date.now() + 30_000
const SIZES = [1, 127, 128, 255, 256, 1_000, 33_857, 41_997]
/** Echoes the size asked for in the packet's own length, so that every size goes both ways. */
const answerTo = (packet: Buffer) => patternPacket(packet.length % 2 === 0 ? 13 : 14, packet.length)

describe('ilp-plugin-btp', () => {
  const stops: (() => unknown)[] = []

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop()
  })

  const keep = (plugin: Plugin) => {
    stops.push(() => plugin.stop())
    return plugin
  }

  const connectForeign = async (foreign: Foreign) => {
    stops.push(() => foreign.disconnect())
    await foreign.connect()
  }

  /** Our link answers as `answerTo` says. */
  const answering = (): { receiver: RecordingReceiver; use(link: Link): void } => {
    const receiver = new RecordingReceiver()
    let link: Link | undefined
    receiver.prepare = (handle, packet, start, end) => {
      const answer = answerTo(packet.subarray(start, end))
      link!.sendReply(handle, answer, 0, answer.length)
    }
    return {
      receiver,
      use: (used) => {
        link = used
      },
    }
  }

  /** Data of every size from the foreign plugin to us and back, then from us to it and back. */
  const exchangeAll = async (foreign: Foreign, link: Link, receiver: RecordingReceiver) => {
    for (const size of SIZES) {
      const packet = patternPacket(12, size)
      const answer = await foreign.sendData(packet)
      expect(answer.equals(answerTo(packet)), `${size} bytes to us`).toBe(true)
    }
    for (const [token, size] of SIZES.entries()) {
      const packet = patternPacket(12, size)
      expect(link.sendPrepare(token, packet, 0, size, later())).toBe(SendOutcome.sent)
      await waitFor(`the answer of ${size} bytes`, () => receiver.replies.length === token + 1)
      const { token: answered, packet: answer } = receiver.replies[token]!
      expect(answered).toBe(token)
      expect(answer.equals(answerTo(packet)), `${size} bytes from us`).toBe(true)
    }
    const many = Array.from({ length: 500 }, (_, index) => patternPacket(12, 100 + index))
    const answers = await Promise.all(many.map((packet) => foreign.sendData(packet)))
    expect(answers.every((answer, index) => answer.equals(answerTo(many[index]!)))).toBe(true)
    expect(receiver.failures).toEqual([])
    expect(receiver.protocolErrors).toEqual([])
  }

  const ourServer = async () => {
    const plugin = keep(btpListener())
    const { receiver, use } = answering()
    const link = plugin.openLink(linkContext(receiver, { mode: 'server', token: TOKEN }))
    use(link)
    await plugin.start()
    await link.start()
    return { plugin, link, receiver, url: urlOf(plugin) }
  }

  const foreignServer = async () => {
    const foreign = new ForeignPlugin({
      listener: { port: 0, secret: TOKEN, wsOpts: { port: 0, host: '127.0.0.1' } },
    })
    foreign.registerDataHandler(async (data) => answerTo(data))
    // It resolves only when a client has logged in.
    const connected = foreign.connect()
    connected.catch(() => undefined)
    stops.push(() => foreign.disconnect())
    await waitFor('its listener', () => foreign._wss.address() !== null)
    return { foreign, connected, url: `ws://127.0.0.1:${foreign._wss.address().port}` }
  }

  it('logs in to our listener with its URL and exchanges data of every size in both directions', async () => {
    const { link, receiver, url } = await ourServer()
    const foreign = new ForeignPlugin({ server: `btp+${url.replace('//', `//alice:${TOKEN}@`)}` })
    foreign.registerDataHandler(async (data) => answerTo(data))
    await connectForeign(foreign)
    expect(link.connected).toBe(true)
    await exchangeAll(foreign, link, receiver)
  })

  it('takes our client at its listener and exchanges data of every size in both directions', async () => {
    const { foreign, connected, url } = await foreignServer()
    const plugin = keep(btpPlugin())
    const { receiver, use } = answering()
    const link = plugin.openLink(
      linkContext(receiver, { mode: 'client', url, token: TOKEN, ...QUICK_RECONNECT }),
    )
    use(link)
    await link.start()
    await connected
    await waitFor('our link', () => link.connected)
    await exchangeAll(foreign, link, receiver)
  })

  it('comes back to our listener after the network broke', async () => {
    const { link, receiver, url } = await ourServer()
    const proxy = await tcpProxy(Number(new URL(url).port))
    stops.push(() => proxy.close())
    const foreign = new ForeignPlugin({ server: `btp+ws://:${TOKEN}@127.0.0.1:${proxy.port}` })
    foreign.registerDataHandler(async (data) => answerTo(data))
    await connectForeign(foreign)
    proxy.cut()
    await waitFor('the loss and the return', () => receiver.connections === 2 && foreign.isConnected())
    await exchangeAll(foreign, link, receiver)
  })

  it('is found again by our client after the network broke', async () => {
    const { foreign, connected, url } = await foreignServer()
    const proxy = await tcpProxy(Number(new URL(url).port))
    stops.push(() => proxy.close())
    const plugin = keep(btpPlugin())
    const { receiver, use } = answering()
    const proxied = `btp+ws://127.0.0.1:${proxy.port}`
    const link = plugin.openLink(
      linkContext(receiver, { mode: 'client', url: proxied, token: TOKEN, ...QUICK_RECONNECT }),
    )
    use(link)
    await link.start()
    await connected
    await waitFor('our link', () => link.connected)
    proxy.cut()
    await waitFor('the loss and the return', () => receiver.connections === 2)
    await exchangeAll(foreign, link, receiver)
  })

  it('is refused with a wrong token, and refuses ours', async () => {
    const { link, url } = await ourServer()
    const wrong = new ForeignPlugin({ server: `btp+ws://:not-the-token@${new URL(url).host}` })
    const attempt = wrong.connect()
    attempt.catch(() => undefined)
    stops.push(() => wrong.disconnect())
    const foreign = await foreignServer()
    const plugin = keep(btpPlugin())
    const client = plugin.openLink(
      linkContext(new RecordingReceiver(), { mode: 'client', url: foreign.url, token: `${TOKEN}x` }),
    )
    await client.start()
    await waitFor('the refusal', () => client.status().lastError?.includes('NotAcceptedError') === true)
    expect(client.status().lastError).toContain('refused our token')
    expect(client.connected).toBe(false)
    expect(link.connected).toBe(false)
  })

  it('hears an error, and we a failure, when its data handler throws', async () => {
    const { foreign, connected, url } = await foreignServer()
    const plugin = keep(btpPlugin())
    const receiver = new RecordingReceiver()
    const link = plugin.openLink(linkContext(receiver, { mode: 'client', url, token: TOKEN }))
    await link.start()
    await connected
    await waitFor('our link', () => link.connected)
    const handler = foreign as unknown as { _dataHandler: () => Promise<Buffer> }
    handler._dataHandler = () => Promise.reject(new Error('no'))
    link.sendPrepare(1, patternPacket(12, 50), 0, 50, later())
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toMatchObject({ token: 1, failure: 'refused' })
  })
})
