import type { Dispatcher } from 'undici'
import { BODY_LENGTH_MAX } from './packet-server.ts'

/**
 * One POST of a packet and its response. Handed to the pool as the handler of the request itself, which spares an object
 * and several closures per packet.
 */
export class PacketRequest implements Dispatcher.DispatchHandler {
  readonly token: number
  readonly expiresAtMs: number
  readonly requestId: string | undefined
  /** Our own copy of the packet. */
  readonly body: Buffer
  /** Status of the response; 0 before there is one. */
  status = 0
  error: Error | undefined
  /** Whether we ended it ourselves because its packet expired. */
  gaveUp = false
  /** Whether we ended it because the response was too long. */
  tooLong = false
  /** Whether the node was told the outcome already. */
  settled = false
  /** Its place among the running requests of its client. */
  index = -1
  onDone: ((request: PacketRequest) => void) | undefined
  #abort: ((error?: Error) => void) | undefined
  #first: Buffer | undefined
  #rest: Buffer[] | undefined
  #length = 0

  constructor(token: number, body: Buffer, expiresAtMs: number, requestId: string | undefined) {
    this.token = token
    this.body = body
    this.expiresAtMs = expiresAtMs
    this.requestId = requestId
  }

  /** Whether a connection has taken it: the peer may have it then. */
  get sent(): boolean {
    return this.#abort !== undefined
  }

  abort(reason: string): void {
    this.gaveUp = true
    this.#abort?.(new Error(reason))
  }

  takeBody(): Buffer {
    if (this.#rest !== undefined) return Buffer.concat(this.#rest, this.#length)
    return this.#first ?? Buffer.alloc(0)
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.#abort !== undefined) {
      abort(new Error('a packet is sent once only'))
      return
    }
    this.#abort = abort
    if (this.gaveUp) abort(new Error('the packet expired before it was sent'))
  }

  onHeaders(status: number): boolean {
    if (status >= 200) this.status = status
    return true
  }

  onData(chunk: Buffer): boolean {
    this.#length += chunk.length
    if (this.#length > BODY_LENGTH_MAX) {
      this.tooLong = true
      this.#abort?.(new Error(`the response is longer than ${BODY_LENGTH_MAX} bytes`))
      return false
    }
    if (this.#first === undefined) this.#first = chunk
    else if (this.#rest === undefined) this.#rest = [this.#first, chunk]
    else this.#rest.push(chunk)
    return true
  }

  onComplete(): void {
    this.#finish()
  }

  onError(error: Error): void {
    this.error = error
    this.#finish()
  }

  #finish(): void {
    const done = this.onDone
    this.onDone = undefined
    done?.(this)
  }
}
