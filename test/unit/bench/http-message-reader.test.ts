import { randomInt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { HttpMessageReader } from '../../../bench/load/http-message-reader.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'

interface Message {
  startLine: string
  body: string
}

function messageBytes({ startLine, body }: Message, date: number): Buffer {
  return Buffer.from(
    `${startLine}\r\nDate: ${date}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    'latin1',
  )
}

describe('the reader of HTTP messages', () => {
  it('finds the same messages however their bytes are cut', () => {
    const random = new SeededRandom(randomInt(2 ** 31))
    const below = (limit: number) => random.below(limit)
    for (let run = 0; run < 200; run++) {
      const sent = Array.from({ length: 1 + below(6) }, (_, index) => ({
        startLine: `POST /${below(2)} HTTP/1.1`,
        body: String.fromCharCode(65 + index).repeat(below(3) * 100),
      }))
      const bytes = Buffer.concat(sent.map((message) => messageBytes(message, below(2))))
      const found: Message[] = []
      const reader = new HttpMessageReader((startLine, buffer, start, end) => {
        found.push({ startLine, body: buffer.toString('latin1', start, end) })
      })
      for (let start = 0; start < bytes.length; ) {
        const end = Math.min(bytes.length, start + 1 + below(200))
        // A buffer that is used again for the next piece, as sockets do.
        const piece = Buffer.concat([Buffer.from('before'), bytes.subarray(start, end), Buffer.from('after')])
        reader.feed(piece, 6, 6 + end - start)
        piece.fill(0)
        start = end
      }
      expect(found, `seed ${random.seed}, run ${run}`).toEqual(sent)
    }
  })

  it('takes a message without a length as one without a body', () => {
    const found: string[] = []
    const reader = new HttpMessageReader((startLine, _buffer, start, end) =>
      found.push(`${startLine} ${end - start}`),
    )
    const bytes = Buffer.from('OPTIONS / HTTP/1.1\r\nhost: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n')
    reader.feed(bytes, 0, bytes.length)
    expect(found).toEqual(['OPTIONS / HTTP/1.1 0', 'HTTP/1.1 204 No Content 0'])
  })

  it('refuses chunks, and messages beyond any packet', () => {
    const chunked = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
    const reader = new HttpMessageReader(() => undefined)
    expect(() => reader.feed(chunked, 0, chunked.length)).toThrow('chunks')
    const endless = Buffer.alloc(100_000, 'a')
    const other = new HttpMessageReader(() => undefined)
    other.feed(endless, 0, endless.length)
    expect(() => other.feed(endless, 0, endless.length)).toThrow('131072 bytes')
  })
})
