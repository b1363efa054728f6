import BtpPacket from 'btp-packet'
import type { WebSocket } from 'ws'
import type { Link, LinkReceiver } from '../../src/peers/link.ts'
import {
  btpListener,
  btpPlugin,
  foreignServer,
  linkContext,
  QUICK_RECONNECT,
  TOKEN,
  urlOf,
} from './btp-harness.ts'
import { type LinkHarness, linkCompliance, type ScriptedRemote } from './link.ts'
import { RecordingReceiver } from './recording-receiver.ts'
import { tcpProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'

const ilp = (packet: Buffer) => [{ protocolName: 'ilp', contentType: 0, data: packet }]

/** The other end of our client, played with npm's BTP codec over npm's WebSocket. */
async function scriptedServer(receiver: LinkReceiver): Promise<ScriptedRemote> {
  let socket: WebSocket | undefined
  const server = await foreignServer((accepted) => {
    socket = accepted
    accepted.once('message', (data: Buffer) => {
      accepted.send(BtpPacket.serializeResponse(BtpPacket.deserialize(data).requestId, []))
    })
  })
  const plugin = btpPlugin()
  const link = plugin.openLink(
    linkContext(receiver, { mode: 'client', url: server.url, token: TOKEN, ...QUICK_RECONNECT }),
  )
  await link.start()
  await waitFor('the link to log in', () => link.connected)
  const send = (data: Buffer | string) => () => socket!.send(data)
  const error = { code: 'F00', name: 'NotAcceptedError', triggeredAt: new Date().toISOString(), data: '' }
  return {
    link,
    rubbish: [
      { name: 'a text message', send: send('hello') },
      { name: 'an empty message', send: send(Buffer.alloc(0)) },
      { name: 'random bytes', send: send(Buffer.from('b19e83a31c0f', 'hex')) },
      {
        name: 'a frame cut short',
        send: send(BtpPacket.serializeMessage(1, ilp(Buffer.alloc(99))).subarray(0, 40)),
      },
      { name: 'a retired frame type', send: send(Buffer.from('0300000001020100', 'hex')) },
      {
        name: 'a length that promises gigabytes',
        send: send(Buffer.from('060000000184ffffffff0100', 'hex')),
      },
      { name: 'an error for no request', send: send(BtpPacket.serializeError(error, 77, [])) },
      { name: 'an empty answer to no request', send: send(BtpPacket.serializeResponse(78, [])) },
    ],
    answer: (token, packet) => socket!.send(BtpPacket.serializeResponse(token, ilp(packet))),
    close: async () => {
      await link.stop()
      await plugin.stop()
      await server.close()
    },
  }
}

/** `near` is the client or the server of the pair. */
async function btpHarness(
  nearIs: 'client' | 'server',
  near: LinkReceiver,
  far: LinkReceiver,
): Promise<LinkHarness> {
  const listener = btpListener()
  await listener.start()
  const proxy = await tcpProxy(Number(new URL(urlOf(listener)).port))
  const dialler = btpPlugin()
  const [serverReceiver, clientReceiver] = nearIs === 'server' ? [near, far] : [far, near]
  const server = listener.openLink(
    linkContext(serverReceiver, { plugin: 'btp', mode: 'server', token: TOKEN }),
  )
  const url = `ws://127.0.0.1:${proxy.port}`
  const client = dialler.openLink(
    linkContext(clientReceiver, { mode: 'client', url, token: TOKEN, ...QUICK_RECONNECT }),
  )
  const [nearLink, farLink] = nearIs === 'server' ? [server, client] : [client, server]
  return {
    near: nearLink,
    far: farLink,
    cut: proxy.cut,
    scripted: scriptedServer,
    openWith: (options): Link => listener.openLink(linkContext(new RecordingReceiver(), options)),
    badOptions: [
      { name: 'no mode', options: {}, path: 'mode' },
      { name: 'an unknown mode', options: { mode: 'both', token: TOKEN }, path: 'mode' },
      { name: 'an unknown key', options: { mode: 'server', token: TOKEN, tokn: 'x' }, path: 'tokn' },
      { name: 'no token', options: { mode: 'server' }, path: 'token' },
      { name: 'a short token', options: { mode: 'server', token: 'short' }, path: 'token' },
      { name: 'a bad hash', options: { mode: 'server', tokenSha256: 'abc' }, path: 'tokenSha256' },
      {
        name: 'token and hash',
        options: { mode: 'server', token: TOKEN, tokenSha256: '0'.repeat(64) },
        path: 'token',
      },
      { name: 'no URL', options: { mode: 'client', token: TOKEN }, path: 'url' },
      {
        name: 'an http URL',
        options: { mode: 'client', token: TOKEN, url: 'http://127.0.0.1' },
        path: 'url',
      },
      {
        name: 'a token in the URL',
        options: { mode: 'client', token: TOKEN, url: `btp+ws://:${TOKEN}@127.0.0.1` },
        path: 'url',
      },
      {
        name: 'back-off the wrong way round',
        options: {
          mode: 'client',
          token: TOKEN,
          url: 'ws://127.0.0.1',
          reconnectMsMin: 90,
          reconnectMsMax: 80,
        },
        path: 'reconnectMsMax',
      },
    ],
    close: async () => {
      await dialler.stop()
      await listener.stop()
      await proxy.close()
    },
  }
}

linkCompliance('btp, as client', (near, far) => btpHarness('client', near, far))
linkCompliance('btp, as server', (near, far) => btpHarness('server', near, far))
