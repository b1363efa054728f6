import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FlushQueue } from '../../../plugins/btp/flush-queue.ts'
import { FrameReader } from '../../../plugins/btp/frame-reader.ts'
import { FrameWriter } from '../../../plugins/btp/frame-writer.ts'
import { PagePool } from '../../../plugins/btp/page-pool.ts'
import { Opcode } from '../../../plugins/btp/web-socket-code.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { pick, randomBytes, randomInt, seededRandom, testSeed } from './random.ts'
import { wsHears } from './ws-receiver.ts'

/** A socket that copies what it is given, at once or when `drain` is called. */
class Sink extends Duplex {
  readonly chunks: Buffer[] = []
  /** Calls to the system: one per `_write` or `_writev`. */
  writes = 0
  isSlow = false
  #pending: (() => void)[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this._writev([{ chunk }], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes++
    const take = () => {
      // Copied only now, as the system may: whoever reuses the memory too early is found out.
      for (const { chunk } of chunks) this.chunks.push(Buffer.from(chunk))
      done()
    }
    if (this.isSlow) this.#pending.push(take)
    else take()
  }

  drain(): void {
    for (const take of this.#pending.splice(0)) take()
  }
}

const frame = (writer: FrameWriter, payload: Buffer) => {
  const offset = writer.begin(Opcode.binary, payload.length)
  payload.copy(writer.bytes, offset)
  writer.end()
}

describe.each([
  { role: 'client', masked: true },
  { role: 'server', masked: false },
])('frame writer as $role', ({ masked }) => {
  const make = () => {
    const sink = new Sink()
    const writer = new FrameWriter(sink, { masked, pool: new PagePool(), queue: new FlushQueue() })
    return { sink, writer }
  }

  it(`is understood by ws and by our own reader at any size and speed of the socket (seed ${testSeed})`, async () => {
    const random = seededRandom(testSeed)
    const { sink, writer } = make()
    const expected: string[] = []
    for (let turn = 0; turn < 300; turn++) {
      sink.isSlow = random() < 0.5
      for (let count = randomInt(random, 0, 20); count > 0; count--) {
        const payload = randomBytes(random, pick(random, [0, 1, 3, 125, 126, 127, 500, 2_000, 42_015]))
        frame(writer, payload)
        expected.push(`binary ${payload.toString('hex')}`)
      }
      await nextTurn()
      if (random() < 0.4) sink.drain()
    }
    sink.isSlow = false
    await waitFor('all bytes to be taken', () => {
      sink.drain()
      return writer.pendingBytes === 0
    })
    expect((await wsHears(sink.chunks, masked)).join() === expected.join()).toBe(true)
    const ours: string[] = []
    const reader = new FrameReader(
      { masked, messageLengthMax: 44_000 },
      {
        message: (buffer, start, end) => ours.push(`binary ${buffer.toString('hex', start, end)}`),
        ping: () => undefined,
        closeFrame: () => undefined,
        violation: (_code, reason) => ours.push(reason),
      },
    )
    for (const chunk of sink.chunks) reader.push(Buffer.from(chunk))
    expect(ours.join() === expected.join()).toBe(true)
  })

  it('writes once per turn of the event loop, however many frames there are', async () => {
    const { sink, writer } = make()
    for (let count = 0; count < 100; count++) frame(writer, Buffer.alloc(100))
    expect(sink.writes).toBe(0)
    await nextTurn()
    expect(sink.writes).toBe(1)
    frame(writer, Buffer.alloc(100))
    await nextTurn()
    expect(sink.writes).toBe(2)
    expect(writer.pendingBytes).toBe(0)
  })

  it('writes before the end of the turn what fills a page', () => {
    const { sink, writer } = make()
    for (let count = 0; count < 20; count++) frame(writer, Buffer.alloc(10_000))
    expect(sink.writes).toBe(3)
  })

  it('keeps count of what waits, and adds nothing to a write that is not done', async () => {
    const { sink, writer } = make()
    sink.isSlow = true
    for (let turn = 0; turn < 50; turn++) {
      frame(writer, Buffer.alloc(1_000))
      await nextTurn()
    }
    expect(sink.writes).toBe(1)
    expect(writer.pendingBytes).toBeGreaterThanOrEqual(50_000)
    expect(sink.writableLength).toBeLessThan(2_000)
    sink.drain()
    await waitFor('the second write', () => sink.writes === 2)
  })

  it('hands over all it has when it closes', async () => {
    const { sink, writer } = make()
    sink.isSlow = true
    frame(writer, Buffer.from('one'))
    await nextTurn()
    frame(writer, Buffer.from('two'))
    writer.close()
    sink.isSlow = false
    sink.drain()
    await nextTurn()
    expect(await wsHears(sink.chunks, masked)).toEqual(['binary 6f6e65', 'binary 74776f'])
  })

  it('refuses a frame that no page holds', () => {
    const { writer } = make()
    expect(() => writer.begin(Opcode.binary, 65_529)).toThrow(RangeError)
  })
})
