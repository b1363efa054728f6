import {
  type BtpEntry,
  BtpType,
  ContentType,
  emptyBtpFrameView,
  encodeBtpEntries,
  readBtpFrame,
} from './btp-frame.ts'
import { describeBtpError, OWN_REQUEST_ID_MIN } from './btp-link.ts'
import { CloseCode } from './web-socket-code.ts'
import type { ConnectionHandler, WebSocketConnection } from './web-socket-connection.ts'

/** What came of a login. */
export type LoginOutcome = 'accepted' | 'refused' | 'failed'

/** Shows our token to a server (RFC 23, Authentication) and waits for its answer. */
export class ClientLogin implements ConnectionHandler {
  readonly #connection: WebSocketConnection
  readonly #timer: NodeJS.Timeout
  readonly #onDone: (outcome: LoginOutcome, reason: string) => void
  #done = false

  constructor(
    connection: WebSocketConnection,
    options: { token: string; username: string | undefined; deadlineMs: number },
    onDone: (outcome: LoginOutcome, reason: string) => void,
  ) {
    const { token, username, deadlineMs } = options
    this.#connection = connection
    this.#onDone = onDone
    this.#timer = setTimeout(() => this.#fail(`no answer to our login within ${deadlineMs} ms`), deadlineMs)
    this.#timer.unref()
    connection.handler = this
    connection.send(encodeBtpEntries(BtpType.message, OWN_REQUEST_ID_MIN, loginEntries(token, username)))
  }

  message(buffer: Buffer, start: number, end: number, isBinary: boolean): void {
    const frame = emptyBtpFrameView()
    if (!isBinary || !readBtpFrame(buffer, start, end, frame)) {
      return this.#fail('the server speaks something other than BTP')
    }
    // Whatever else comes before the answer is not for us yet.
    if (frame.requestId !== OWN_REQUEST_ID_MIN) return
    if (frame.type === BtpType.response) return this.#finish('accepted', '')
    if (frame.type !== BtpType.error) return
    const error = describeBtpError(buffer, frame.codeOffset, frame.nameStart, frame.nameEnd)
    this.#finish(
      'refused',
      `the server refused our token (${error}): compare it with the one configured there`,
    )
    this.#connection.close(CloseCode.normal, 'login refused')
  }

  closed(reason: string): void {
    this.#finish('failed', `the server ended the connection instead of answering our login: ${reason}`)
  }

  #fail(reason: string): void {
    this.#connection.close(CloseCode.policyViolation, reason)
    this.#finish('failed', reason)
  }

  #finish(outcome: LoginOutcome, reason: string): void {
    if (this.#done) return
    this.#done = true
    clearTimeout(this.#timer)
    this.#onDone(outcome, reason)
  }
}

function loginEntries(token: string, username: string | undefined): BtpEntry[] {
  const entry = (name: string, text: string) => ({
    name,
    contentType: ContentType.text,
    data: Buffer.from(text, 'utf8'),
  })
  const entries: BtpEntry[] = [{ name: 'auth', contentType: ContentType.octets, data: Buffer.alloc(0) }]
  if (username !== undefined) entries.push(entry('auth_username', username))
  entries.push(entry('auth_token', token))
  return entries
}
