import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { LinkContext } from '../../src/peers/link.ts'
import { BtpLink } from './btp-link.ts'
import type { BtpShare } from './btp-share.ts'
import { type ClientHandshake, clientHandshake } from './client-handshake.ts'
import { ClientLogin, type LoginOutcome } from './client-login.ts'
import { MESSAGE_LENGTH_MAX } from './login.ts'
import type { ClientLinkOptions } from './options.ts'
import { reconnectDelay, STABLE_MS } from './reconnect-delay.ts'
import { CloseCode } from './web-socket-code.ts'
import { WebSocketConnection } from './web-socket-connection.ts'

/** The link to a peer that listens. Connects, and connects again, for as long as it is not stopped. */
export class ClientLink extends BtpLink {
  readonly #options: ClientLinkOptions
  #ca: Buffer | undefined
  #started = false
  #failures = 0
  #connectedAtMs = 0
  #handshake: ClientHandshake | undefined
  /** The connection that is logging in or logged in. */
  #connection: WebSocketConnection | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(context: LinkContext, options: ClientLinkOptions, share: BtpShare) {
    super(context, options, share)
    this.#options = options
    this.lastError = 'not started'
  }

  override async start(): Promise<void> {
    if (this.#started || this.stopped) return
    this.#started = true
    this.lastError = 'connecting for the first time'
    this.share.add(this)
    this.#connect()
  }

  protected override configuredRemote(): string {
    return this.#options.url.href
  }

  protected override onLost(): void {
    this.#connection = undefined
    if (performance.now() - this.#connectedAtMs >= STABLE_MS) this.#failures = 0
    this.#retry(this.lastError ?? 'the connection was lost')
  }

  protected override async onStop(): Promise<void> {
    clearTimeout(this.#timer)
    this.share.remove(this)
    this.#handshake?.abort()
    const connection = this.#connection
    this.#connection = undefined
    connection?.close(CloseCode.goingAway, 'the link was stopped')
    await connection?.gone()
  }

  #connect(): void {
    this.#readCa().then(
      () => this.#open(),
      (error: NodeJS.ErrnoException) => this.#retry(`cannot read caFile: ${error.code ?? error.message}`),
    )
  }

  async #readCa(): Promise<void> {
    const { caFile } = this.#options
    if (caFile !== undefined) this.#ca = await readFile(caFile)
  }

  #open(): void {
    if (this.stopped) return
    const { url, connectDeadlineMs } = this.#options
    this.#handshake = clientHandshake(
      { url, ca: this.#ca, deadlineMs: connectDeadlineMs },
      {
        opened: (socket, head) => this.#login(socket, head),
        failed: (reason) => this.#retry(reason),
      },
    )
  }

  #login(socket: Socket, head: Buffer): void {
    this.#handshake = undefined
    const connection = new WebSocketConnection(socket, {
      role: 'client',
      messageLengthMax: MESSAGE_LENGTH_MAX,
      handler: this,
      share: this.share,
    })
    this.#connection = connection
    const { token, username } = this.#options
    const login = { token, username, deadlineMs: this.share.authDeadlineMs }
    new ClientLogin(connection, login, (outcome, reason) => this.#onLogin(connection, outcome, reason))
    connection.open(head)
  }

  #onLogin(connection: WebSocketConnection, outcome: LoginOutcome, reason: string): void {
    if (this.stopped) return
    if (outcome === 'accepted') {
      this.#connectedAtMs = performance.now()
      this.attach(connection, this.#options.url.href)
      this.share.logger.info('btp link connected', {
        accountId: this.accountId,
        remote: this.#options.url.href,
      })
      return
    }
    this.#connection = undefined
    // A refused token is not cured by haste: wait as long as we ever do.
    if (outcome === 'refused') this.#failures = Number.MAX_SAFE_INTEGER
    this.#retry(reason)
  }

  #retry(reason: string): void {
    this.lastError = reason
    if (this.stopped) return
    const { reconnectMsMin: msMin, reconnectMsMax: msMax } = this.#options
    const waitMs = reconnectDelay(this.#failures, { msMin, msMax }, this.share.random)
    if (this.#failures < Number.MAX_SAFE_INTEGER) this.#failures++
    this.share.logger.warn('btp link not connected', { accountId: this.accountId, reason, waitMs })
    this.#timer = setTimeout(() => this.#connect(), waitMs)
  }
}
