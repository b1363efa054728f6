import {
  BtpErrorCode,
  BtpType,
  btpEntries,
  emptyBtpFrameView,
  encodeBtpEntries,
  encodeBtpError,
  readBtpFrame,
} from './btp-frame.ts'
import type { BtpShare } from './btp-share.ts'
import type { ServerLink } from './server-link.ts'
import type { TokenIndex } from './token-index.ts'
import { CloseCode } from './web-socket-code.ts'
import type { ConnectionHandler, WebSocketConnection } from './web-socket-connection.ts'

/** Longest message once logged in: the largest ILP packet in a BTP frame is 42,015 bytes. */
export const MESSAGE_LENGTH_MAX = 44_000
/** Longest first message: room for a long token and a few flags. Bytes. */
export const LOGIN_LENGTH_MAX = 4_096
/** All that a socket may send before it is logged in, pings included. Bytes. */
export const LOGIN_BYTES_MAX = 16_384

/** Waits for the first message of a client, which must show a token (RFC 23, Authentication). */
export class Login implements ConnectionHandler {
  connection: WebSocketConnection | undefined
  readonly #remote: string
  readonly #index: TokenIndex<ServerLink>
  readonly #share: BtpShare
  readonly #onDone: () => void

  /** `onDone` is called once the client is in; a client that is not gets its connection closed. */
  constructor(
    options: { remote: string; onDone: () => void },
    deps: { share: BtpShare; index: TokenIndex<ServerLink> },
  ) {
    this.#remote = options.remote
    this.#onDone = options.onDone
    this.#share = deps.share
    this.#index = deps.index
  }

  message(buffer: Buffer, start: number, end: number, isBinary: boolean): void {
    const frame = emptyBtpFrameView()
    if (!isBinary || !readBtpFrame(buffer, start, end, frame)) {
      this.connection?.close(CloseCode.policyViolation, 'the first message must be a BTP auth message')
      return
    }
    const entries = btpEntries(buffer, frame)
    const names = entries.map((entry) => entry.name)
    if (frame.type !== BtpType.message || names[0] !== 'auth') {
      return this.#refuse(
        frame.requestId,
        BtpErrorCode.notAccepted,
        'log in first: the first message must be "auth"',
      )
    }
    if (new Set(names).size !== names.length) {
      return this.#refuse(
        frame.requestId,
        BtpErrorCode.invalidFields,
        'two sub-protocol entries have the same name',
      )
    }
    const token = entries.find((entry) => entry.name === 'auth_token')?.data
    if (token === undefined) {
      return this.#refuse(frame.requestId, BtpErrorCode.notAccepted, 'the entry "auth_token" is missing')
    }
    const link = this.#index.find(token)
    if (link === undefined)
      return this.#refuse(frame.requestId, BtpErrorCode.notAccepted, 'the token is not known here')
    const username = entries.find((entry) => entry.name === 'auth_username')?.data.toString('utf8')
    this.#admit(link, frame.requestId, username)
  }

  closed(reason: string): void {
    this.#share.logger.debug('btp socket closed before login', { remote: this.#remote, reason })
  }

  #admit(link: ServerLink, requestId: number, username: string | undefined): void {
    const connection = this.connection
    if (connection === undefined) return
    if (username !== undefined && username !== '' && username !== link.accountId) {
      // The token decides: clients of other makers send whatever name their URL holds.
      this.#share.logger.debug('btp user name differs from the account', { accountId: link.accountId })
    }
    this.#onDone()
    connection.messageLengthMax = MESSAGE_LENGTH_MAX
    connection.bytesReadMax = Number.POSITIVE_INFINITY
    connection.send(encodeBtpEntries(BtpType.response, requestId, []))
    link.accept(connection, this.#remote)
  }

  #refuse(requestId: number, code: BtpErrorCode, text: string): void {
    this.#share.logger.debug('btp login refused', { remote: this.#remote, reason: text })
    this.connection?.send(encodeBtpError(requestId, code, text, this.#share.clock.now()))
    this.connection?.close(CloseCode.policyViolation, text)
  }
}
