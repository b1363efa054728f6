import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPlugin } from '../../plugins/ilp-http/plugin.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import type { Link, LinkReceiver } from '../../src/peers/link.ts'
import { type LinkHarness, linkCompliance, type MakeLinkHarness, type ScriptedRemote } from './link.ts'
import { waitFor } from './wait-for.ts'

const deps = { clock: systemClock, logger: silentLogger, random: Math.random }
const TOKENS = { near: 'near-token-0123456789', far: 'far-token-0123456789' }
const SHARED_KEY = 'a shared secret of more than 32 bytes in length'

type Mode = 'sync' | 'async'
type Scheme = 'bearer' | 'jwt'

function context(options: Record<string, unknown>, receiver: LinkReceiver, accountId: string) {
  return { accountId, relation: 'peer' as const, assetCode: 'XRP', assetScale: 9, options, receiver }
}

async function startPlugin() {
  const plugin = createPlugin({ listen: { host: '127.0.0.1', port: 0 } }, deps)
  await plugin.start()
  return { plugin, url: plugin.listening()[0]! }
}

/** Options of the side that accepts `ownToken` and sends `otherToken` to `url`. */
function linkOptions(
  mode: Mode,
  scheme: Scheme,
  sides: { url: string; ownUrl: string; own: string; other: string },
) {
  const incoming =
    scheme === 'bearer' ? { scheme, token: sides.own } : { scheme, algorithm: 'HS256', key: SHARED_KEY }
  const credentials =
    scheme === 'bearer'
      ? { scheme, token: sides.other }
      : { scheme, algorithm: 'HS256', key: SHARED_KEY, lifetimeSeconds: 60 }
  const outgoing = {
    ...credentials,
    url: sides.url.replace('/ilp', '/accounts/peer/ilp'),
    probeMinMs: 10,
    mode,
    ...(mode === 'async' ? { callbackUrl: sides.ownUrl.replace('/ilp', '/accounts/peer/ilp/callback') } : {}),
  }
  return { incoming, outgoing }
}

function makeHarness(mode: Mode, scheme: Scheme): MakeLinkHarness {
  return async (near, far) => {
    const [nearSide, farSide] = [await startPlugin(), await startPlugin()]
    const open = (
      receiver: LinkReceiver,
      side: typeof nearSide,
      other: typeof nearSide,
      own: string,
      token: string,
    ) =>
      side.plugin.openLink(
        context(
          linkOptions(mode, scheme, { url: other.url, ownUrl: side.url, own, other: token }),
          receiver,
          'peer',
        ),
      )
    const harness: LinkHarness = {
      near: open(near, nearSide, farSide, TOKENS.near, TOKENS.far),
      far: open(far, farSide, nearSide, TOKENS.far, TOKENS.near),
      openRequestsMax: mode === 'sync' ? 64 : 1_000,
      scripted: (receiver) => scripted(receiver),
      openWith: (options) => nearSide.plugin.openLink(context(options, near, 'peer')),
      badOptions: [
        { name: 'nothing', options: {}, path: 'incoming' },
        {
          name: 'a short token',
          options: { incoming: { scheme: 'bearer', token: 'short' } },
          path: 'incoming.token',
        },
        {
          name: 'a token and its hash',
          options: { incoming: { scheme: 'bearer', token: TOKENS.near, tokenSha256: '0'.repeat(64) } },
          path: 'incoming.token',
        },
        {
          name: 'an unknown scheme',
          options: { incoming: { scheme: 'basic', token: TOKENS.near } },
          path: 'incoming.scheme',
        },
        {
          name: 'no algorithm',
          options: { incoming: { scheme: 'jwt', algorithm: 'none', key: SHARED_KEY } },
          path: 'incoming.algorithm',
        },
        {
          name: 'no PEM',
          options: { incoming: { scheme: 'jwt', algorithm: 'RS256', key: SHARED_KEY } },
          path: 'incoming.key',
        },
        {
          name: 'credentials in the URL',
          options: { outgoing: { scheme: 'bearer', token: TOKENS.near, url: 'http://a:b@127.0.0.1/' } },
          path: 'outgoing.url',
        },
        {
          name: 'another protocol',
          options: { outgoing: { scheme: 'bearer', token: TOKENS.near, url: 'file:///etc/passwd' } },
          path: 'outgoing.url',
        },
        {
          name: 'async without incoming',
          options: {
            outgoing: { scheme: 'bearer', token: TOKENS.near, url: 'http://127.0.0.1/', mode: 'async' },
          },
          path: 'outgoing.mode',
        },
        {
          name: 'an unknown key',
          options: { incoming: { scheme: 'bearer', token: TOKENS.near }, speed: 3 },
          path: 'speed',
        },
      ],
      close: async () => {
        await nearSide.plugin.stop()
        await farSide.plugin.stop()
      },
    }
    return harness
  }
}

/** A remote end made of a bare HTTP server and fetch. */
async function scripted(receiver: LinkReceiver): Promise<ScriptedRemote> {
  const remote = createServer((_, response) => {
    response.writeHead(204)
    response.end()
  })
  await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve))
  const { plugin, url } = await startPlugin()
  const link: Link = plugin.openLink(
    context(
      {
        incoming: { scheme: 'bearer', token: TOKENS.near },
        outgoing: {
          scheme: 'bearer',
          token: TOKENS.far,
          url: `http://127.0.0.1:${(remote.address() as AddressInfo).port}/`,
          mode: 'async',
        },
      },
      receiver,
      'peer',
    ),
  )
  await link.start()
  await waitFor('the link to be connected', () => link.connected)
  const post = async (body: Buffer, headers: Record<string, string>, path = url) => {
    const response = await fetch(path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKENS.near}`,
        'content-type': 'application/octet-stream',
        ...headers,
      },
      body,
    })
    await response.arrayBuffer()
  }
  const requestId = '42ee09c8-a6de-4ae3-8a47-4732b0cbb07b'
  return {
    link,
    rubbish: [
      { name: 'an empty body', send: () => post(Buffer.alloc(0), {}) },
      { name: 'a body above the limit', send: () => post(Buffer.alloc(42_501), {}) },
      { name: 'a wrong content type', send: () => post(Buffer.from([12]), { 'content-type': 'text/html' }) },
      { name: 'a Request-Id that is none', send: () => post(Buffer.from([12]), { 'request-id': 'one' }) },
      {
        name: 'a callback elsewhere',
        send: () => post(Buffer.from([12]), { 'request-id': requestId, 'callback-url': 'http://10.0.0.1/' }),
      },
    ],
    answer: (_, packet) => post(packet, { 'request-id': requestId }, `${url}/callback`),
    close: async () => {
      await link.stop()
      await plugin.stop()
      remote.closeAllConnections()
      await new Promise((resolve) => remote.close(resolve))
    },
  }
}

linkCompliance('ilp-http, synchronous, bearer', makeHarness('sync', 'bearer'))
linkCompliance('ilp-http, synchronous, JWT', makeHarness('sync', 'jwt'))
linkCompliance('ilp-http, asynchronous, bearer', makeHarness('async', 'bearer'))
linkCompliance('ilp-http, asynchronous, JWT', makeHarness('async', 'jwt'))
