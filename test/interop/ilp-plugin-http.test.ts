import { afterEach, describe, expect, it } from 'vitest'
import { createPlugin } from '../../plugins/ilp-http/plugin.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { SendOutcome } from '../../src/peers/link.ts'
import { patternPacket } from '../compliance/pattern-packet.ts'
import { RecordingReceiver } from '../compliance/recording-receiver.ts'
import { waitFor } from '../compliance/wait-for.ts'
import { freePort } from '../support/free-port.ts'

/** ilp-plugin-http 1.6.1 of npm, which has no usable types. */
interface PluginHttp {
  connect(): Promise<void>
  disconnect(): Promise<void>
  sendData(data: Buffer): Promise<Buffer>
  registerDataHandler(handler: (data: Buffer) => Promise<Buffer>): void
}
const { default: PluginHttp } = (await import('ilp-plugin-http')) as unknown as {
  default: new (options: object) => PluginHttp
}

/** The largest body that ilp-plugin-http takes; a maximal Prepare is 33,857 bytes. */
const THEIR_BODY_MAX = 32_767
const OUR_SECRET = 'what-they-prove-to-us-with'
const THEIR_SECRET = 'what-we-prove-to-them-with'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function pair(auth: 'staticToken' | 'jwtSecret', path: string) {
  const port = await freePort()
  const plugin = createPlugin(
    { listen: { host: '127.0.0.1', port: 0 } },
    { clock: systemClock, logger: silentLogger, random: Math.random },
  )
  await plugin.start()
  closers.push(() => plugin.stop())
  const url = plugin.listening()[0]!.replace('/ilp', path)
  const theirs = new PluginHttp({
    incoming: { port, [auth]: THEIR_SECRET },
    outgoing: { url, [auth]: OUR_SECRET, name: 'alice' },
  })
  await theirs.connect()
  closers.push(() => theirs.disconnect())
  const credentials = (value: string) =>
    auth === 'staticToken'
      ? { scheme: 'bearer', token: value }
      : { scheme: 'jwt', algorithm: 'HS256', key: value }
  const receiver = new RecordingReceiver()
  const link = plugin.openLink({
    accountId: 'alice',
    relation: 'peer',
    assetCode: 'XRP',
    assetScale: 9,
    options: {
      incoming: credentials(OUR_SECRET),
      outgoing: {
        ...credentials(THEIR_SECRET),
        url: `http://127.0.0.1:${port}/`,
        probeMinMs: 10,
        contentType: 'application/ilp+octet-stream',
      },
    },
    receiver,
  })
  await link.start()
  await waitFor('the link to be connected', () => link.connected)
  return { theirs, link, receiver }
}

describe.each([
  ['a static token', 'staticToken', '/accounts/alice/ilp'],
  ['a static token, without account in the path', 'staticToken', '/ilp'],
  ['a JWT without sub', 'jwtSecret', '/accounts/alice/ilp'],
  ['a JWT without sub, named by ILP-Peer-Name', 'jwtSecret', '/ilp'],
] as const)('ilp-plugin-http with %s', (_, auth, path) => {
  it('sends to our listener and gets our replies', async () => {
    const { theirs, link, receiver } = await pair(auth, path)
    for (const length of [64, 500, 33_857]) {
      const [prepare, fulfill] = [patternPacket(12, length), patternPacket(13, 32_806)]
      receiver.prepares.length = 0
      const answer = theirs.sendData(prepare)
      await waitFor('the prepare', () => receiver.prepares.length === 1)
      expect(receiver.prepares[0]!.packet.equals(prepare)).toBe(true)
      link.sendReply(receiver.prepares[0]!.handle, fulfill, 0, fulfill.length)
      expect((await answer).equals(fulfill)).toBe(true)
    }
  })

  it('takes what our client sends and answers it', async () => {
    const { theirs, link, receiver } = await pair(auth, path)
    const fulfill = patternPacket(13, 32_806)
    const seen: Buffer[] = []
    theirs.registerDataHandler(async (data) => {
      seen.push(data)
      return fulfill
    })
    for (const length of [64, 500, THEIR_BODY_MAX]) {
      const prepare = patternPacket(12, length)
      receiver.replies.length = 0
      expect(link.sendPrepare(length, prepare, 0, length, Date.now() + 10_000)).toBe(SendOutcome.sent)
      await waitFor('the reply', () => receiver.replies.length === 1)
      expect(seen.at(-1)!.equals(prepare)).toBe(true)
      expect(receiver.replies[0]!.packet.equals(fulfill)).toBe(true)
    }
    const tooLong = patternPacket(12, THEIR_BODY_MAX + 1)
    link.sendPrepare(1, tooLong, 0, tooLong.length, Date.now() + 10_000)
    await waitFor('their refusal', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toMatchObject({ token: 1, failure: 'refused' })
    expect(receiver.failures[0]!.message).toContain('413')
  })
})

describe('ilp-plugin-http with credentials that we do not know', () => {
  it('is refused', async () => {
    const { theirs, link, receiver } = await pair('staticToken', '/ilp')
    await link.stop()
    await expect(theirs.sendData(patternPacket(12, 64))).rejects.toThrow(/401/)
    expect(receiver.prepares).toEqual([])
  })
})
