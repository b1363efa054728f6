const HEAD_END = Buffer.from('\r\n\r\n')
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+) *\r\n/i
/** Longest message taken, so that a peer gone wrong cannot fill the memory. Bytes. */
const MESSAGE_LENGTH_MAX = 131_072

/** Gets each whole message; `buffer` is valid during the call. `startLine` is the request or status line. */
export type HttpMessageEars = (startLine: string, buffer: Buffer, start: number, end: number) => void

/**
 * Reads HTTP/1.1 messages one after another off one connection: a head, and a body of `content-length` bytes (none
 * without that header). No chunks, no trailers: packets do not need them, and `feed` throws when they come. A peer
 * sends nearly the same head each time, so one that equals the last is not parsed again.
 */
export class HttpMessageReader {
  readonly #ears: HttpMessageEars
  #head: Buffer = Buffer.alloc(0)
  #startLine = ''
  #bodyLength = 0
  /** Begun and not whole yet. */
  #pending: Buffer | undefined

  constructor(ears: HttpMessageEars) {
    this.#ears = ears
  }

  /** Takes bytes off the connection; they are the caller's again on return. */
  feed(bytes: Buffer, start: number, end: number): void {
    if (this.#pending === undefined) {
      const rest = this.#readAll(bytes, start, end)
      if (rest < end) this.#pending = Buffer.from(bytes.subarray(rest, end))
      return
    }
    const joined = Buffer.concat([this.#pending, bytes.subarray(start, end)])
    if (joined.length > MESSAGE_LENGTH_MAX)
      throw new Error(`an HTTP message passes ${MESSAGE_LENGTH_MAX} bytes`)
    this.#pending = undefined
    const rest = this.#readAll(joined, 0, joined.length)
    if (rest < joined.length) this.#pending = joined.subarray(rest)
  }

  /** Where the first message begins that is not whole yet. */
  #readAll(bytes: Buffer, start: number, end: number): number {
    let offset = start
    while (offset < end) {
      if (!this.#readHead(bytes, offset, end)) return offset
      const bodyStart = offset + this.#head.length
      const next = bodyStart + this.#bodyLength
      if (next > end) return offset
      offset = next
      this.#ears(this.#startLine, bytes, bodyStart, next)
    }
    return offset
  }

  #readHead(bytes: Buffer, start: number, end: number): boolean {
    const length = this.#head.length
    if (
      length > 0 &&
      length <= end - start &&
      bytes.compare(this.#head, 0, length, start, start + length) === 0
    )
      return true
    const headEnd = bytes.subarray(start, end).indexOf(HEAD_END)
    if (headEnd < 0) return false
    this.#head = Buffer.from(bytes.subarray(start, start + headEnd + HEAD_END.length))
    const text = this.#head.toString('latin1')
    if (/\r\ntransfer-encoding:/i.test(text)) throw new Error('a message came in chunks')
    this.#startLine = text.slice(0, text.indexOf('\r\n'))
    this.#bodyLength = Number(CONTENT_LENGTH.exec(text)?.[1] ?? 0)
    return true
  }
}
