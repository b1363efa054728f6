import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPlugin } from '../../../plugins/ilp-http/plugin.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import type { Link, Plugin, PluginDeps } from '../../../src/peers/link.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'

export const IN_TOKEN = 'in-token-0123456789abcdef'
export const OUT_TOKEN = 'out-token-0123456789abcdef'
export const REQUEST_ID = '42ee09c8-a6de-4ae3-8a47-4732b0cbb07b'

/** What a test opens; `close` ends it all. */
export class TestBench {
  readonly #closers: (() => Promise<unknown>)[] = []

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }

  async plugin(options: Record<string, unknown> = {}, deps: Partial<PluginDeps> = {}) {
    const plugin: Plugin = createPlugin(
      { listen: { host: '127.0.0.1', port: 0 }, ...options },
      { clock: systemClock, logger: silentLogger, random: Math.random, ...deps },
    )
    await plugin.start()
    this.#closers.push(() => plugin.stop())
    return { plugin, url: plugin.listening()[0]! }
  }

  async link(plugin: Plugin, options: Record<string, unknown>, accountId = 'alice') {
    const receiver = new RecordingReceiver()
    const link: Link = plugin.openLink({
      accountId,
      relation: 'peer',
      assetCode: 'XRP',
      assetScale: 9,
      options,
      receiver,
    })
    await link.start()
    return { link, receiver }
  }

  /** An HTTP server of the test's own. OPTIONS, which is how links probe, is answered for it. */
  async remote(handler: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void) {
    const server: Server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        if (request.method === 'OPTIONS') response.writeHead(204).end()
        else handler(request, response, Buffer.concat(chunks))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const close = async () => {
      if (!server.listening) return
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    }
    this.#closers.push(close)
    return { url: `http://127.0.0.1:${port}/`, port, close }
  }
}

/** POSTs like a peer would. */
export async function post(url: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${IN_TOKEN}`,
      'content-type': 'application/octet-stream',
      ...headers,
    },
    body: Buffer.from(body),
    redirect: 'manual',
  })
  return {
    status: response.status,
    headers: response.headers,
    body: Buffer.from(await response.arrayBuffer()),
  }
}
