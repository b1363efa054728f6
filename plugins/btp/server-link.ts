import type { LinkContext } from '../../src/peers/link.ts'
import { BtpLink } from './btp-link.ts'
import type { BtpShare } from './btp-share.ts'
import type { ServerLinkOptions } from './options.ts'
import type { TokenIndex, TokenOwner } from './token-index.ts'
import type { WebSocketConnection } from './web-socket-connection.ts'

/** The link of a peer that connects to our listener; its token tells which one it is. */
export class ServerLink extends BtpLink implements TokenOwner {
  override readonly accountId: string
  readonly tokenHash: Buffer
  readonly #index: TokenIndex<ServerLink>

  constructor(
    context: LinkContext,
    options: ServerLinkOptions,
    deps: { share: BtpShare; index: TokenIndex<ServerLink> },
  ) {
    super(context, options, deps.share)
    this.accountId = context.accountId
    this.tokenHash = options.tokenHash
    this.#index = deps.index
    this.lastError = 'the peer has not connected yet'
    this.#index.assertFree(this)
  }

  override async start(): Promise<void> {
    if (this.stopped) return
    const previous = this.#index.add(this)
    this.share.add(this)
    await previous?.stop()
  }

  /** Takes over the connection of a peer that showed this link's token. An earlier connection is ended. */
  accept(connection: WebSocketConnection, remote: string): void {
    this.attach(connection, remote)
    this.share.logger.info('btp peer connected', { accountId: this.accountId, remote })
  }

  protected override onLost(): void {
    this.share.logger.info('btp peer disconnected', { accountId: this.accountId, reason: this.lastError })
  }

  protected override async onStop(): Promise<void> {
    this.#index.remove(this)
    this.share.remove(this)
  }
}
