import { createRequire } from 'node:module'
import type { Plugin } from 'ilp-protocol-stream/dist/src/util/plugin-interface.js'
import { freePort } from '../../support/free-port.ts'

// CommonJS of another age: their type declarations do not fit a default import.
const load = createRequire(import.meta.url)
const PluginBtp = load('ilp-plugin-btp') as new (options: object) => Plugin
const PluginHttp = load('ilp-plugin-http') as new (options: object) => Plugin

export type { Plugin }

/**
 * Customers of a connector that dial it with ilp-plugin-btp. One for each payment: ilp-protocol-stream disconnects its
 * plugin in the end, and an ilp-plugin-btp that was disconnected does not connect again.
 */
export class Wallets {
  readonly #open: Plugin[] = []

  async dial(port: number, token: string): Promise<Plugin> {
    const plugin = new PluginBtp({ server: `btp+ws://:${token}@127.0.0.1:${port}`, reconnectInterval: 50 })
    this.#open.push(plugin)
    await plugin.connect()
    return plugin
  }

  async disconnect(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((plugin) => plugin.disconnect()))
  }
}

export interface HttpWallet {
  plugin: Plugin
  /** Where it takes packets. */
  url: string
}

/** A customer of a connector with ilp-plugin-http, not yet connected. */
export async function createHttpWallet(tokens: {
  theirUrl: string
  toThem: string
  fromThem: string
}): Promise<HttpWallet> {
  const port = await freePort()
  const plugin = new PluginHttp({
    // Goes to Koa's listen() as it is: without the object it would listen on every interface.
    incoming: { port: { host: '127.0.0.1', port }, staticToken: tokens.fromThem },
    outgoing: { url: tokens.theirUrl, staticToken: tokens.toThem, name: 'wallet' },
  })
  return { plugin, url: `http://127.0.0.1:${port}/` }
}
