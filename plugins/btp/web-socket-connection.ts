import type { Duplex } from 'node:stream'
import type { Flushable, FlushQueue } from './flush-queue.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import type { PagePool } from './page-pool.ts'
import { type CloseCode, Opcode } from './web-socket-code.ts'

/** Who uses a connection. */
export interface ConnectionHandler {
  /** A whole message; the bytes are valid during the call only. */
  message(buffer: Buffer, start: number, end: number, isBinary: boolean): void
  /** Nothing more will come and nothing more can be sent. Called once, never from inside a call of the handler's. */
  closed(reason: string): void
}

/** What all connections of a plugin share. */
export interface ConnectionShare {
  pool: PagePool
  queue: FlushQueue
  /** A connection that brought no byte for two of these is dead; a ping goes out every one. Milliseconds. */
  pingIntervalMs: number
  /** A peer that takes over nothing of what waits for it is cut after this. Milliseconds. */
  stallMsMax: number
}

/**
 * Bytes taken from one connection per turn of the event loop. The system hands over two million at once, some 5,000
 * packets: a peer that floods would make turns so long that everybody's packets wait through several of them. What is
 * left stays in the socket, and TCP slows down that peer alone.
 */
const READ_BYTES_PER_TURN = 65_536
/**
 * Longest time that a connection is not read on purpose. The answers that the peer owes us come the same way: two peers
 * that held each other for good would never hear them.
 */
const HOLD_MS_MAX = 25
/** Time for the other end to answer a close frame and to end its side. Milliseconds. */
const CLOSE_MS_MAX = 1_000
/** A peer with so many bytes waiting does not read: it is cut. Bytes. */
const PENDING_BYTES_MAX = 16 * 1_024 * 1_024
const CLOSE_REASON_LENGTH_MAX = 123
const NO_CLOSE_CODE = 1_005

/** A WebSocket after its handshake (RFC 6455), without extensions: messages in, messages out, ping and close. */
export class WebSocketConnection implements FrameSink {
  handler: ConnectionHandler
  /** Bytes that came, frames and all. */
  bytesRead = 0
  /** A connection that has brought more is cut. */
  bytesReadMax = Number.POSITIVE_INFINITY
  readonly writer: FrameWriter
  readonly #socket: Duplex
  readonly #reader: FrameReader
  readonly #share: ConnectionShare
  #state: 'open' | 'closing' | 'gone' = 'open'
  #fault: string | undefined
  #readBefore = 0
  #idleMs = 0
  #sincePingMs = 0
  #writesBefore = 0
  #stalledMs = 0
  #turnBytes = 0
  readonly #turnEnd: Flushable = { flush: () => this.#endTurn() }
  #holdTimer: NodeJS.Timeout | undefined
  readonly #whenGone: (() => void)[] = []

  constructor(
    socket: Duplex,
    options: {
      role: 'client' | 'server'
      messageLengthMax: number
      handler: ConnectionHandler
      share: ConnectionShare
    },
  ) {
    const { role, messageLengthMax, handler, share } = options
    this.#socket = socket
    this.#share = share
    this.handler = handler
    this.#reader = new FrameReader({ masked: role === 'server', messageLengthMax }, this)
    this.writer = new FrameWriter(socket, { masked: role === 'client', ...share })
  }

  /** Begins to read; `head` is what came with the handshake. */
  open(head: Buffer): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('end', () => this.#leave(this.#fault ?? 'the peer ended the connection'))
    socket.on('error', (error) => {
      this.#fault ??= `the connection broke: ${error.message}`
    })
    socket.on('close', () => this.#onGone())
    if (head.length > 0) this.#onData(head)
    socket.resume()
  }

  /** Whether reading is held back on purpose. */
  get isHeld(): boolean {
    return this.#holdTimer !== undefined
  }

  /** Reads nothing more, beyond what has come already, until `readOn` or for 25 ms. */
  hold(): void {
    if (this.#holdTimer !== undefined || this.#state !== 'open') return
    this.#holdTimer = setTimeout(() => this.readOn(), HOLD_MS_MAX)
    this.#socket.pause()
  }

  readOn(): void {
    if (this.#holdTimer === undefined) return
    clearTimeout(this.#holdTimer)
    this.#holdTimer = undefined
    if (this.#turnBytes < READ_BYTES_PER_TURN) this.#socket.resume()
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  set messageLengthMax(bytes: number) {
    this.#reader.messageLengthMax = bytes
  }

  /** Sends one binary message. For the rare ones; packets are written straight into `writer`. */
  send(message: Buffer): void {
    this.#frame(Opcode.binary, message, 0, message.length)
  }

  /** Says goodbye and ends the connection within a second. The handler hears nothing more. */
  close(code: CloseCode, reason: string): void {
    if (this.#state !== 'open') return
    this.handler = DEAF
    this.#sendClose(code, reason)
    this.#leave(reason)
  }

  /** Ends the connection without a word. The handler hears `closed`. */
  cut(reason: string): void {
    this.#fault ??= reason
    this.#socket.destroy()
  }

  /** Resolves when the socket is gone, a bounded time after `close` or `cut`. */
  gone(): Promise<void> {
    if (this.#state === 'gone') return Promise.resolve()
    return new Promise((resolve) => this.#whenGone.push(resolve))
  }

  /** To be called about every second: pings, and cuts a connection that is dead or whose reader has stalled. */
  tick(elapsedMs: number): void {
    if (this.#state !== 'open') return
    const { pingIntervalMs, stallMsMax } = this.#share
    this.#idleMs = this.bytesRead === this.#readBefore ? this.#idleMs + elapsedMs : 0
    this.#readBefore = this.bytesRead
    if (this.#idleMs >= 2 * pingIntervalMs) return this.cut(`no sign of life for ${this.#idleMs} ms`)
    this.#sincePingMs += elapsedMs
    if (this.#sincePingMs >= pingIntervalMs) {
      this.#sincePingMs = 0
      this.#frame(Opcode.ping, EMPTY, 0, 0)
    }
    const isStalled = this.writer.pendingBytes > 0 && this.writer.writesDone === this.#writesBefore
    this.#stalledMs = isStalled ? this.#stalledMs + elapsedMs : 0
    this.#writesBefore = this.writer.writesDone
    if (this.#stalledMs >= stallMsMax) return this.cut(`the peer read nothing for ${this.#stalledMs} ms`)
    if (this.writer.pendingBytes > PENDING_BYTES_MAX) this.cut('the peer reads too slowly')
  }

  message(buffer: Buffer, start: number, end: number, isBinary: boolean): void {
    this.handler.message(buffer, start, end, isBinary)
  }

  ping(buffer: Buffer, start: number, end: number): void {
    this.#frame(Opcode.pong, buffer, start, end)
  }

  closeFrame(code: number): void {
    this.#sendClose(code === NO_CLOSE_CODE ? undefined : code, '')
    this.#leave(`the peer closed the connection with code ${code}`)
  }

  violation(code: CloseCode, reason: string): void {
    this.#sendClose(code, reason)
    this.#leave(`the peer broke the WebSocket protocol: ${reason}`)
  }

  #onData(chunk: Buffer): void {
    this.bytesRead += chunk.length
    if (this.#turnBytes === 0) this.#share.queue.add(this.#turnEnd)
    this.#turnBytes += chunk.length
    if (this.#turnBytes >= READ_BYTES_PER_TURN) this.#socket.pause()
    if (this.#state !== 'open') return
    this.#reader.push(chunk)
    if (this.bytesRead > this.bytesReadMax) this.cut('the peer sent too much before it logged in')
    if (this.writer.pendingBytes > PENDING_BYTES_MAX) this.cut('the peer reads too slowly')
  }

  #endTurn(): void {
    if (this.#turnBytes >= READ_BYTES_PER_TURN && this.#holdTimer === undefined) this.#socket.resume()
    this.#turnBytes = 0
  }

  #frame(opcode: Opcode, payload: Buffer, start: number, end: number): void {
    if (this.#state !== 'open') return
    const offset = this.writer.begin(opcode, end - start)
    payload.copy(this.writer.bytes, offset, start, end)
    this.writer.end()
  }

  #sendClose(code: number | undefined, reason: string): void {
    if (code === undefined) return this.#frame(Opcode.close, EMPTY, 0, 0)
    const text = Buffer.from(reason, 'utf8').subarray(0, CLOSE_REASON_LENGTH_MAX)
    const payload = Buffer.allocUnsafe(2 + text.length)
    payload.writeUInt16BE(code)
    text.copy(payload, 2)
    this.#frame(Opcode.close, payload, 0, payload.length)
  }

  /** From here on what comes is thrown away: the other end has a second to read what we said and to end. */
  #leave(reason: string): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.readOn()
    this.#reader.stop()
    this.writer.close()
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_MS_MAX)
    this.#whenGone.push(() => clearTimeout(timer))
    this.#tellHandler(reason)
  }

  #onGone(): void {
    clearTimeout(this.#holdTimer)
    this.#holdTimer = undefined
    if (this.#state === 'open') {
      this.#reader.stop()
      this.writer.close()
    }
    this.#state = 'gone'
    for (const done of this.#whenGone) done()
    this.#whenGone.length = 0
    this.#tellHandler(this.#fault ?? 'the connection ended')
  }

  #tellHandler(reason: string): void {
    const { handler } = this
    this.handler = DEAF
    handler.closed(reason)
  }
}

const EMPTY = Buffer.alloc(0)
const DEAF: ConnectionHandler = { message: () => undefined, closed: () => undefined }
