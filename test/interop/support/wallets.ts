import { createRequire } from 'node:module'
import type { Plugin } from 'ilp-protocol-stream/dist/src/util/plugin-interface.js'
import { freePort } from '../../support/free-port.ts'
import { waitFor } from '../../support/wait-for.ts'

// CommonJS of another age: their type declarations do not fit a default import.
const load = createRequire(import.meta.url)
const PluginBtp = load('ilp-plugin-btp') as new (options: object) => Plugin
const PluginHttp = load('ilp-plugin-http') as new (options: object) => Plugin

export type { Plugin }

/**
 * Customers of a connector that dial it with ilp-plugin-btp. Each stays connected until `disconnect` here, although
 * ilp-protocol-stream's client wants to disconnect its plugin when it ends: the receiver still sends it a goodbye,
 * which would wait for its expiry in an ilp-connector, whose plugin does not notice that its peer has gone. And an
 * ilp-plugin-btp that was disconnected once never connects again.
 */
export class Wallets {
  readonly #plugins = new Map<string, Plugin>()
  readonly #disconnects: (() => Promise<void>)[] = []

  /** The connected plugin of a token, without data handler. */
  async dial(port: number, token: string): Promise<Plugin> {
    const known = this.#plugins.get(token)
    if (known !== undefined) {
      known.deregisterDataHandler()
      await waitFor('the wallet is connected again', () => known.isConnected())
      return known
    }
    const plugin = new PluginBtp({ server: `btp+ws://:${token}@127.0.0.1:${port}`, reconnectInterval: 20 })
    this.#plugins.set(token, plugin)
    this.#disconnects.push(plugin.disconnect.bind(plugin))
    plugin.disconnect = async () => undefined
    await plugin.connect()
    return plugin
  }

  async disconnect(): Promise<void> {
    await Promise.all(this.#disconnects.splice(0).map((disconnect) => disconnect()))
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
