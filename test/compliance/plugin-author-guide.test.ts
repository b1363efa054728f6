import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll } from 'vitest'
import type { LinkReceiver } from '../../src/peers/link.ts'
import { loadPlugin } from '../../src/peers/load-plugin.ts'
import { linkContext, pluginDeps, TOKEN } from './btp-harness.ts'
import { linkCompliance, type ScriptedRemote } from './link.ts'
import { tcpProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'

/** The plugin printed in the guide, as a reader would save it, but outside the repository. */
const directory = mkdtempSync(join(tmpdir(), 'causeway-guide-'))
const guide = readFileSync(join(import.meta.dirname, '../../docs/plugin-author-guide.md'), 'utf8')
const source = /```ts\n(.*?)```/s.exec(guide)![1]!
const link = pathToFileURL(join(import.meta.dirname, '../../src/peers/link.ts')).href
writeFileSync(join(directory, 'plugin.ts'), source.replace('../../src/peers/link.ts', link))
afterAll(() => rmSync(directory, { recursive: true }))

const frame = (kind: number, id: number, packet: Buffer) => {
  const bytes = Buffer.alloc(9 + packet.length)
  bytes.writeUInt32BE(5 + packet.length, 0)
  bytes[4] = kind
  bytes.writeUInt32BE(id, 5)
  packet.copy(bytes, 9)
  return bytes
}

const load = () => loadPlugin('./plugin.ts', {}, pluginDeps, directory)

async function scripted(receiver: LinkReceiver): Promise<ScriptedRemote> {
  let socket: Socket | undefined
  const server = createServer((accepted) => {
    socket = accepted
    accepted.on('error', () => undefined)
    accepted.once('data', () => accepted.write(frame(0, 0, Buffer.alloc(0))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const plugin = await load()
  const { port } = server.address() as AddressInfo
  const opened = plugin.openLink(linkContext(receiver, { connect: `127.0.0.1:${port}`, token: TOKEN }))
  await opened.start()
  await waitFor('the login', () => opened.connected)
  return {
    link: opened,
    rubbish: [
      { name: 'a frame of unknown kind', send: () => void socket!.write(frame(9, 1, Buffer.alloc(10))) },
      { name: 'a frame of impossible length', send: () => void socket!.write(Buffer.alloc(100, 0xff)) },
    ],
    answer: (token, packet) => void socket!.write(frame(2, token, packet)),
    close: async () => {
      await plugin.stop()
      socket!.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

linkCompliance('the plugin of the author guide', async (near, far) => {
  const plugin = await load()
  const reserved = createServer()
  await new Promise<void>((resolve) => reserved.listen(0, '127.0.0.1', resolve))
  const { port } = reserved.address() as AddressInfo
  await new Promise((resolve) => reserved.close(resolve))
  const proxy = await tcpProxy(port)
  return {
    near: plugin.openLink(
      linkContext(near, { plugin: './plugin.ts', connect: `127.0.0.1:${proxy.port}`, token: TOKEN }),
    ),
    far: plugin.openLink(linkContext(far, { listen: port, token: TOKEN })),
    cut: proxy.cut,
    scripted,
    openWith: (options) => plugin.openLink(linkContext(near, options)),
    badOptions: [
      { name: 'no token', options: { listen: 1 }, path: 'token' },
      { name: 'neither listen nor connect', options: { token: TOKEN }, path: 'connect' },
      { name: 'an unknown key', options: { listen: 1, token: TOKEN, colour: 'blue' }, path: 'colour' },
    ],
    close: async () => {
      await plugin.stop()
      await proxy.close()
    },
  }
})
