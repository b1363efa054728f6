import {
  type Link,
  LinkConfigError,
  type LinkContext,
  type Plugin,
  type PluginDeps,
} from '../../src/peers/link.ts'
import { BtpShare } from './btp-share.ts'
import { ClientLink } from './client-link.ts'
import { BtpListener } from './listener.ts'
import { type BtpOptions, parseBtpOptions, parseLinkOptions } from './options.ts'
import { ServerLink } from './server-link.ts'
import { TokenIndex } from './token-index.ts'

/**
 * Peers over BTP 2.0 (RFC 23): we listen for some and connect to others.
 * Throws `LinkConfigError` when `options` (the section `plugins.btp`) cannot work.
 */
export function createPlugin(options: Record<string, unknown>, deps: PluginDeps): Plugin {
  return new BtpPlugin(parseBtpOptions(options, deps.baseDirectory), deps)
}

class BtpPlugin implements Plugin {
  readonly #linkRules: { allowShortTokens: boolean; baseDirectory: string | undefined }
  readonly #share: BtpShare
  readonly #index = new TokenIndex<ServerLink>()
  readonly #listener: BtpListener | undefined

  constructor(options: BtpOptions, deps: PluginDeps) {
    this.#linkRules = { allowShortTokens: options.allowShortTokens, baseDirectory: deps.baseDirectory }
    this.#share = new BtpShare(options, deps)
    if (options.listen === undefined) return
    const { unauthenticatedMax, unauthenticatedPerAddressMax, tls } = options
    const listen = { ...options.listen, unauthenticatedMax, unauthenticatedPerAddressMax, tls }
    this.#listener = new BtpListener(listen, { share: this.#share, index: this.#index })
  }

  async start(): Promise<void> {
    await this.#listener?.start()
  }

  async stop(): Promise<void> {
    await this.#share.stopMembers()
    await this.#listener?.stop()
  }

  openLink(context: LinkContext): Link {
    const options = parseLinkOptions(context.options, this.#linkRules)
    if (options.mode === 'client') return new ClientLink(context, options, this.#share)
    if (this.#listener === undefined) {
      throw new LinkConfigError(
        'mode',
        'the peer is to connect to us, but "plugins.btp.listen" is not set: set it, or use mode "client"',
      )
    }
    return new ServerLink(context, options, { share: this.#share, index: this.#index })
  }

  listening(): string[] {
    const url = this.#listener?.url
    return url === undefined ? [] : [url]
  }
}
