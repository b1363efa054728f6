import { connect, type Socket } from 'node:net'
import type { PeerEnd } from '../subjects/subject.ts'
import { HttpMessageReader } from './http-message-reader.ts'
import type { WireEvents } from './load.ts'

/**
 * Connections of one payer, so that so many packets are under way and not waiting here; opened as they are needed. It is
 * what the product takes from one account by default.
 */
const CONNECTIONS_MAX = 512
/** Packets that wait for a free connection: more than any case has in flight. */
const QUEUE_MAX = 65_536
/** Answers are read into one buffer per connection: a FULFILL and its head are far shorter. Bytes. */
const READ_LENGTH = 16_384
const STATUS_OK = /^HTTP\/1\.1 200 /
/** Room in each connection's write buffer for a Prepare with little data; it grows with the packets. Bytes. */
const WRITE_LENGTH = 1_024

interface QueuedPacket {
  tag: number
  packet: Buffer
}

/**
 * One payer over HTTP/1.1: a request at a time per connection, more connections as they are needed. By hand on
 * `node:net`, for half of what a client library costs: it is not the load that is measured.
 */
export class HttpPayer {
  readonly #payer: number
  readonly #url: URL
  readonly #head: Buffer
  readonly #events: WireEvents
  readonly #idle: Connection[] = []
  readonly #open = new Set<Connection>()
  readonly #queue: QueuedPacket[] = []
  #queueHead = 0

  constructor(payer: number, end: PeerEnd, events: WireEvents) {
    this.#payer = payer
    this.#events = events
    this.#url = new URL(end.url)
    this.#head = Buffer.from(
      [
        `POST ${this.#url.pathname} HTTP/1.1`,
        `host: ${this.#url.host}`,
        'connection: keep-alive',
        'content-type: application/octet-stream',
        'accept: application/octet-stream',
        `authorization: Bearer ${end.token}`,
        'content-length: ',
      ].join('\r\n'),
      'latin1',
    )
  }

  send(tag: number, packet: Buffer, start: number, end: number): void {
    const idle = this.#queueHead < this.#queue.length ? undefined : (this.#idle.pop() ?? this.#connection())
    if (idle !== undefined) idle.post(tag, packet, start, end)
    else if (this.#queue.length - this.#queueHead >= QUEUE_MAX) this.#events.failed(this.#payer, tag)
    else this.#queue.push({ tag, packet: Buffer.from(packet.subarray(start, end)) })
  }

  close(): void {
    for (const connection of this.#open) connection.close()
  }

  /** A new one; undefined when there are as many as may be. */
  #connection(): Connection | undefined {
    if (this.#open.size >= CONNECTIONS_MAX) return undefined
    const { hostname, port } = this.#url
    const connection: Connection = new Connection(hostname, Number(port), this.#head, {
      answered: (tag, isOk, bytes, start, end) => {
        this.#idle.push(connection)
        this.#sendQueued()
        if (isOk) this.#events.answer(this.#payer, tag, bytes, start, end)
        else this.#events.failed(this.#payer, tag)
      },
      closed: (tag) => {
        this.#open.delete(connection)
        const index = this.#idle.indexOf(connection)
        if (index >= 0) this.#idle.splice(index, 1)
        if (tag !== undefined) this.#events.failed(this.#payer, tag)
        this.#sendQueued()
      },
    })
    this.#open.add(connection)
    return connection
  }

  #sendQueued(): void {
    if (this.#queueHead === this.#queue.length) return
    const idle = this.#idle.pop() ?? this.#connection()
    if (idle === undefined) return
    const { tag, packet } = this.#queue[this.#queueHead++]!
    if (this.#queueHead * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#queueHead)
      this.#queueHead = 0
    }
    idle.post(tag, packet, 0, packet.length)
  }
}

interface ConnectionEars {
  answered(tag: number, isOk: boolean, bytes: Buffer, start: number, end: number): void
  /** `tag` is of the packet that gets no answer now, if there is one. */
  closed(tag: number | undefined): void
}

class Connection {
  readonly #ears: ConnectionEars
  readonly #socket: Socket
  readonly #reader: HttpMessageReader
  /** Head and body of the request under way. Free again once the answer came. */
  #request = Buffer.allocUnsafe(WRITE_LENGTH)
  readonly #headLength: number
  #tag: number | undefined

  constructor(host: string, port: number, head: Buffer, ears: ConnectionEars) {
    this.#ears = ears
    this.#headLength = head.length
    head.copy(this.#request)
    this.#reader = new HttpMessageReader((startLine, bytes, start, end) => {
      const tag = this.#tag
      this.#tag = undefined
      if (tag !== undefined) ears.answered(tag, STATUS_OK.test(startLine), bytes, start, end)
    })
    const callback = (length: number, bytes: Uint8Array): boolean => {
      try {
        this.#reader.feed(bytes as Buffer, 0, length)
      } catch (error) {
        this.#socket.destroy(error as Error)
      }
      return true
    }
    const onread = { buffer: Buffer.allocUnsafe(READ_LENGTH), callback }
    this.#socket = connect({ host, port, noDelay: true, onread })
    // What went wrong shows as a failed packet; `close` follows.
    this.#socket.on('error', () => undefined)
    this.#socket.on('end', () => this.#socket.destroy())
    this.#socket.once('close', () => {
      const tag = this.#tag
      this.#tag = undefined
      this.#ears.closed(tag)
    })
  }

  post(tag: number, packet: Buffer, start: number, end: number): void {
    this.#tag = tag
    const lengthText = `${end - start}\r\n\r\n`
    const bodyStart = this.#headLength + lengthText.length
    const length = bodyStart + end - start
    if (length > this.#request.length) {
      const longer = Buffer.allocUnsafe(length * 2)
      this.#request.copy(longer, 0, 0, this.#headLength)
      this.#request = longer
    }
    this.#request.write(lengthText, this.#headLength, 'latin1')
    packet.copy(this.#request, bodyStart, start, end)
    this.#socket.write(this.#request.subarray(0, length))
  }

  close(): void {
    this.#socket.destroy()
  }
}
