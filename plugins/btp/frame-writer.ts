import type { Duplex } from 'node:stream'
import type { FlushQueue } from './flush-queue.ts'
import { applyMask, nextMaskKey } from './mask.ts'
import { PAGE_LENGTH, type Page, type PagePool } from './page-pool.ts'
import type { Opcode } from './web-socket-code.ts'

/** Pages handed to the socket in one write: small enough that a peer that reads at all finishes one in time. */
const PAGES_PER_WRITE = 8
const FRAME_HEADER_LENGTH_MAX = 8
/** Largest payload: a page takes it whole. */
const PAYLOAD_LENGTH_MAX = PAGE_LENGTH - FRAME_HEADER_LENGTH_MAX

/**
 * Gathers outgoing WebSocket frames in pages and writes them with one call per turn of the event loop. While the
 * socket still holds the last write, frames wait here, so a slow reader costs their bytes and no more.
 *
 * A frame is written in three steps without a copy or an object: `begin` returns where its payload goes in
 * `bytes`, the caller puts it there, `end` masks it.
 */
export class FrameWriter {
  /** The page being filled. */
  bytes: Buffer = Buffer.alloc(0)
  readonly #socket: Duplex
  readonly #masked: boolean
  readonly #pool: PagePool
  readonly #queue: FlushQueue
  #page: Page | undefined
  /** Full pages that wait for the socket, oldest first. */
  readonly #full: Page[] = []
  /** Pages the socket holds. */
  readonly #written: Page[] = []
  #writtenBytes = 0
  #fullBytes = 0
  #queued = false
  #closed = false
  /** Where the payload of the frame being written begins and ends, and its mask. */
  #payloadStart = 0
  #payloadEnd = 0
  #key = 0
  /** Writes that the system has taken over, to see whether a slow reader still moves. */
  writesDone = 0
  readonly #onWritten = () => {
    if (!this.#closed && this.#writtenBytes > 0 && this.#socket.writableLength === 0) {
      this.#release()
      this.flush()
    }
  }

  constructor(socket: Duplex, options: { masked: boolean; pool: PagePool; queue: FlushQueue }) {
    this.#socket = socket
    this.#masked = options.masked
    this.#pool = options.pool
    this.#queue = options.queue
  }

  /** Bytes that the system has not taken over yet. */
  get pendingBytes(): number {
    return this.#fullBytes + this.#writtenBytes + (this.#page === undefined ? 0 : this.#page.used)
  }

  /** Begins a final frame and returns the offset in `bytes` where its payload belongs. */
  begin(opcode: Opcode, payloadLength: number): number {
    if (payloadLength > PAYLOAD_LENGTH_MAX)
      throw new RangeError(`a frame of ${payloadLength} bytes cannot be sent`)
    const page = this.#pageFor(payloadLength)
    const { bytes } = page
    let offset = page.used
    bytes[offset++] = 0x80 | opcode
    const maskBit = this.#masked ? 0x80 : 0
    if (payloadLength < 126) {
      bytes[offset++] = maskBit | payloadLength
    } else {
      bytes[offset++] = maskBit | 126
      bytes[offset++] = payloadLength >>> 8
      bytes[offset++] = payloadLength & 0xff
    }
    if (this.#masked) {
      this.#key = nextMaskKey()
      bytes[offset++] = this.#key >>> 24
      bytes[offset++] = this.#key >>> 16
      bytes[offset++] = this.#key >>> 8
      bytes[offset++] = this.#key
    }
    this.#payloadStart = offset
    this.#payloadEnd = offset + payloadLength
    return offset
  }

  /** Ends the frame begun last; it goes out at the end of this turn. */
  end(): void {
    const page = this.#page!
    if (this.#masked) applyMask(page, this.#payloadStart, this.#payloadEnd, this.#key)
    page.used = this.#payloadEnd
    if (this.#queued) return
    this.#queued = true
    this.#queue.add(this)
  }

  /** Writes what has been gathered, unless the socket still holds the last write. */
  flush(): void {
    this.#queued = false
    while (!this.#closed && this.#writtenBytes === 0) {
      if (this.#full.length < PAGES_PER_WRITE && this.#page !== undefined && this.#page.used > 0) this.#seal()
      if (this.#full.length === 0) return
      this.#write(Math.min(this.#full.length, PAGES_PER_WRITE))
      if (this.#socket.writableLength === 0) this.#release()
    }
  }

  /** Hands everything to the socket, however much it holds, and promises to write nothing more. */
  close(): void {
    if (this.#page !== undefined && this.#page.used > 0) this.#seal()
    this.#write(this.#full.length)
    this.#page = undefined
    this.#closed = true
  }

  #write(count: number): void {
    this.#socket.cork()
    for (let index = 0; index < count; index++) {
      const page = this.#full[index]!
      this.#written.push(page)
      this.#writtenBytes += page.used
      this.#fullBytes -= page.used
      this.#socket.write(page.bytes.subarray(0, page.used), this.#onWritten)
    }
    this.#full.splice(0, count)
    this.#socket.uncork()
  }

  #pageFor(payloadLength: number): Page {
    let page = this.#page
    if (page !== undefined && page.used + payloadLength + FRAME_HEADER_LENGTH_MAX > PAGE_LENGTH) {
      this.#seal()
      if (this.#writtenBytes === 0 && !this.#closed) this.#flushFull()
      page = undefined
    }
    if (page === undefined) {
      page = this.#pool.take()
      page.used = 0
      this.#page = page
      this.bytes = page.bytes
    }
    return page
  }

  /** A full page goes out at once; whether this writer stands in the queue does not change. */
  #flushFull(): void {
    const queued = this.#queued
    this.flush()
    this.#queued = queued
  }

  #seal(): void {
    const page = this.#page!
    this.#full.push(page)
    this.#fullBytes += page.used
    this.#page = undefined
  }

  /** The system has taken over what was written: its pages can be filled again. */
  #release(): void {
    this.writesDone++
    for (const page of this.#written) this.#pool.give(page)
    this.#written.length = 0
    this.#writtenBytes = 0
  }
}
