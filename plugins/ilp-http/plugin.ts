import { resolve } from 'node:path'
import {
  type Link,
  LinkConfigError,
  type LinkContext,
  type Plugin,
  type PluginDeps,
} from '../../src/peers/link.ts'
import { Authenticator } from './authenticator.ts'
import { HttpLink } from './http-link.ts'
import { IncomingCredentials } from './incoming-credentials.ts'
import { checkOptions, linkOptionsSchema, type PluginOptions, pluginOptionsSchema } from './options.ts'
import { PacketServer, type ServedPeer } from './packet-server.ts'

/** How often links look for what is overdue; packets live for seconds. Milliseconds. */
const SWEEP_MS = 250

/**
 * Peers over HTTP: RFC 35, synchronous (200 with the reply) and asynchronous (202, the reply comes to a callback).
 * One listener for all peers, at `/ilp` and `/accounts/<account>/ilp`; callbacks at `…/ilp/callback`.
 * @throws LinkConfigError
 */
export function createPlugin(options: Record<string, unknown>, deps: PluginDeps): Plugin {
  const checked = checkOptions(pluginOptionsSchema, options)
  const { tls } = checked
  if (tls !== undefined) {
    tls.certFile = resolve(deps.baseDirectory ?? '.', tls.certFile)
    tls.keyFile = resolve(deps.baseDirectory ?? '.', tls.keyFile)
  }
  return new IlpHttpPlugin(checked, deps)
}

class IlpHttpPlugin implements Plugin {
  readonly #options: PluginOptions
  readonly #deps: PluginDeps
  readonly #authenticator = new Authenticator<ServedPeer>()
  readonly #server: PacketServer
  readonly #links = new Set<HttpLink>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: PluginOptions, deps: PluginDeps) {
    this.#options = options
    this.#deps = deps
    this.#server = new PacketServer(options, this.#authenticator, deps.logger)
  }

  async start(): Promise<void> {
    await this.#server.start()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.stop()))
    await this.#server.stop()
  }

  listening(): string[] {
    const url = this.#server.url()
    return url === undefined ? [] : [url]
  }

  openLink(context: LinkContext): Link {
    const options = checkOptions(linkOptionsSchema, context.options)
    const { incoming, outgoing } = options
    if (outgoing?.caFile !== undefined)
      outgoing.caFile = resolve(this.#deps.baseDirectory ?? '.', outgoing.caFile)
    const { allowShortTokens } = this.#options
    let credentials: IncomingCredentials | undefined
    if (incoming !== undefined) {
      if (this.#options.listen === undefined)
        throw new LinkConfigError(
          'incoming',
          'needs a listener: set plugins.ilp-http.listen, or leave incoming out',
        )
      credentials = new IncomingCredentials(incoming, context.accountId, allowShortTokens, this.#deps.clock)
      this.#authenticator.check(credentials)
    }
    return new HttpLink(options, {
      clock: this.#deps.clock,
      logger: this.#deps.logger.child({ account: context.accountId }),
      random: this.#deps.random,
      receiver: context.receiver,
      authenticator: this.#authenticator,
      credentials,
      allowShortTokens,
      started: (link) => this.#onLinkStarted(link),
      stopped: (link) => this.#onLinkStopped(link),
    })
  }

  #onLinkStarted(link: HttpLink): void {
    this.#links.add(link)
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => {
      const nowMs = this.#deps.clock.now()
      for (const open of this.#links) open.sweep(nowMs)
    }, SWEEP_MS)
    this.#timer.unref()
  }

  #onLinkStopped(link: HttpLink): void {
    this.#links.delete(link)
    if (this.#links.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
