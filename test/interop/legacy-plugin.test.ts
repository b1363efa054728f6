import { afterEach, describe, expect, it } from 'vitest'
import { createPlugin as createHttpPlugin } from '../../plugins/ilp-http/plugin.ts'
import { createPlugin } from '../../plugins/legacy/plugin.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { SendOutcome } from '../../src/peers/link.ts'
import { patternPacket } from '../compliance/pattern-packet.ts'
import { RecordingReceiver } from '../compliance/recording-receiver.ts'
import { waitFor } from '../compliance/wait-for.ts'
import { freePort } from '../support/free-port.ts'

interface ForeignPlugin {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  sendData(data: Buffer): Promise<Buffer>
  registerDataHandler(handler: (data: Buffer) => Promise<Buffer>): void
}
const { default: PluginBtp } = (await import('ilp-plugin-btp')) as unknown as {
  default: new (options: object) => ForeignPlugin
}
const deps = { clock: systemClock, logger: silentLogger, random: Math.random }

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function context(options: Record<string, unknown>, receiver: RecordingReceiver) {
  const asset = { assetCode: 'XRP', assetScale: 9 }
  return { accountId: 'alice', relation: 'peer' as const, ...asset, options, receiver }
}

async function legacyLink(module: string, options: Record<string, unknown>) {
  const plugin = createPlugin({}, deps)
  closers.push(() => plugin.stop())
  const receiver = new RecordingReceiver()
  const link = plugin.openLink(context({ module, options, restartMinMs: 50 }, receiver))
  await link.start()
  return { link, receiver }
}

type Legacy = Awaited<ReturnType<typeof legacyLink>>

/** Packets both ways between a legacy link and a plugin object of somebody else's. */
async function exchangeBothWays({ link, receiver }: Legacy, theirs: ForeignPlugin) {
  const [prepare, fulfill] = [patternPacket(12, 33_857), patternPacket(13, 32_806)]
  const seen: Buffer[] = []
  theirs.registerDataHandler(async (data) => {
    seen.push(data)
    return fulfill
  })
  expect(link.sendPrepare(7, prepare, 0, prepare.length, Date.now() + 10_000)).toBe(SendOutcome.sent)
  await waitFor('their reply', () => receiver.replies.length === 1)
  expect(receiver.replies[0]!.token).toBe(7)
  expect(receiver.replies[0]!.packet.equals(fulfill)).toBe(true)
  expect(seen[0]!.equals(prepare)).toBe(true)
  const answer = theirs.sendData(prepare)
  await waitFor('their prepare', () => receiver.prepares.length === 1)
  expect(receiver.prepares[0]!.packet.equals(prepare)).toBe(true)
  link.sendReply(receiver.prepares[0]!.handle, fulfill, 0, fulfill.length)
  expect((await answer).equals(fulfill)).toBe(true)
}

describe('ilp-plugin-btp of npm as a legacy link', () => {
  it('connects as client to a listener made of ilp-plugin-btp', async () => {
    const port = await freePort()
    const theirs = new PluginBtp({ listener: { port, secret: 'a-secret' } })
    closers.push(() => theirs.disconnect())
    const listening = theirs.connect()
    const ours = await legacyLink('ilp-plugin-btp', { server: `btp+ws://:a-secret@127.0.0.1:${port}` })
    await waitFor('the link to be connected', () => ours.link.connected)
    await listening
    await exchangeBothWays(ours, theirs)
  })

  it('listens as server for a client made of ilp-plugin-btp, and notices that it left', async () => {
    const port = await freePort()
    const ours = await legacyLink('ilp-plugin-btp', { listener: { port, secret: 'a-secret' } })
    const theirs = new PluginBtp({ server: `btp+ws://:a-secret@127.0.0.1:${port}`, reconnectInterval: 50 })
    closers.push(() => theirs.disconnect())
    await theirs.connect()
    await waitFor('the link to be connected', () => ours.link.connected)
    await exchangeBothWays(ours, theirs)
    await theirs.disconnect()
    await waitFor('the link to notice', () => !ours.link.connected)
    expect(ours.receiver.disconnections).toEqual(['the plugin disconnected'])
  })

  it('passes on that the peer could not process a packet', async () => {
    const port = await freePort()
    const theirs = new PluginBtp({ listener: { port, secret: 'a-secret' } })
    closers.push(() => theirs.disconnect())
    theirs.connect().catch(() => undefined)
    const { link, receiver } = await legacyLink('ilp-plugin-btp', {
      server: `btp+ws://:a-secret@127.0.0.1:${port}`,
    })
    await waitFor('the link to be connected', () => link.connected)
    theirs.registerDataHandler(async () => {
      throw new Error('out of order')
    })
    link.sendPrepare(1, patternPacket(12, 64), 0, 64, Date.now() + 10_000)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toMatchObject({ token: 1, failure: 'unreachable' })
    expect(receiver.failures[0]!.message).toContain('out of order')
  })
})

describe('ilp-plugin-http of npm as a legacy link', () => {
  it('exchanges packets with our own ilp-http link', async () => {
    const port = await freePort()
    const token = 'one-token-for-both-ways'
    const http = createHttpPlugin({ listen: { host: '127.0.0.1', port: 0 } }, deps)
    await http.start()
    closers.push(() => http.stop())
    const receiver = new RecordingReceiver()
    const ours = http.openLink(
      context(
        {
          incoming: { scheme: 'bearer', token },
          outgoing: { scheme: 'bearer', token, url: `http://127.0.0.1:${port}/`, probeMinMs: 10 },
        },
        receiver,
      ),
    )
    await ours.start()
    const legacy = await legacyLink('ilp-plugin-http', {
      incoming: { port, staticToken: token },
      outgoing: { url: http.listening()[0]!, staticToken: token },
    })
    await waitFor('both links to be connected', () => ours.connected && legacy.link.connected)
    const [prepare, fulfill] = [patternPacket(12, 600), patternPacket(13, 200)]
    for (const [from, fromReceiver, to, toReceiver] of [
      [ours, receiver, legacy.link, legacy.receiver],
      [legacy.link, legacy.receiver, ours, receiver],
    ] as const) {
      from.sendPrepare(5, prepare, 0, prepare.length, Date.now() + 10_000)
      await waitFor('the prepare', () => toReceiver.prepares.length === 1)
      expect(toReceiver.prepares[0]!.packet.equals(prepare)).toBe(true)
      to.sendReply(toReceiver.prepares[0]!.handle, fulfill, 0, fulfill.length)
      await waitFor('the reply', () => fromReceiver.replies.length === 1)
      expect(fromReceiver.replies[0]!.packet.equals(fulfill)).toBe(true)
    }
  })
})
