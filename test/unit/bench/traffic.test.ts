import { describe, expect, it } from 'vitest'
import type { Window, Wire, WireEvents } from '../../../bench/load/load.ts'
import { Traffic } from '../../../bench/load/traffic.ts'
import { encodeReject } from '../../../src/ilp/encode-packet.ts'

const ACCOUNTS = { addresses: ['g.bench.a', 'g.bench.b'], amount: 1_000, deliveredAmount: 1_000 }
const WINDOW = { warmUpMs: 10, measureMs: 100, dataBytes: 64, expiresInMs: 10_000, pids: [] }
const REJECT = encodeReject('T04', 'g.bench', 'no credit')

/** Hands each packet to its payee in a later turn and brings the answer back, or whatever `answer` does instead. */
class LoopbackWire implements Wire {
  inFlight = 0
  inFlightMax = 0
  sent = 0
  readonly #events: WireEvents
  readonly #answer: (wire: LoopbackWire, payer: number, tag: number, packet: Buffer) => void

  constructor(
    events: WireEvents,
    answer: (wire: LoopbackWire, payer: number, tag: number, packet: Buffer) => void = deliver,
  ) {
    this.#events = events
    this.#answer = answer
  }

  /** Takes nothing, as a socket whose peer does not read. */
  isFull = false

  async connect(): Promise<void> {}
  async close(): Promise<void> {}

  send(payer: number, tag: number, packet: Buffer, start: number, end: number): boolean {
    if (this.isFull) return false
    this.inFlight++
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight)
    const copy = Buffer.from(packet.subarray(start, end))
    this.sent++
    setImmediate(() => {
      this.inFlight--
      this.#answer(this, payer, tag, copy)
    })
    return true
  }

  fulfill(payer: number, tag: number, packet: Buffer): void {
    const reply = Buffer.from(this.#events.prepare(payer, packet, 0, packet.length))
    this.#events.answer(payer, tag, reply, 0, reply.length)
  }

  reply(payer: number, tag: number, packet: Buffer): void {
    this.#events.answer(payer, tag, packet, 0, packet.length)
  }

  fail(payer: number, tag: number): void {
    this.#events.failed(payer, tag)
  }
}

const deliver = (wire: LoopbackWire, payer: number, tag: number, packet: Buffer) =>
  wire.fulfill(payer, tag, packet)

async function run(
  window: Partial<Window> & Pick<Window, 'pace'>,
  answer?: (wire: LoopbackWire, payer: number, tag: number, packet: Buffer) => void,
) {
  let wire: LoopbackWire | undefined
  const traffic = new Traffic(ACCOUNTS, (events) => {
    wire = new LoopbackWire(events, answer)
    return wire
  })
  const result = await traffic.run({ ...WINDOW, ...window })
  return { result, wire: wire!, traffic }
}

describe('Traffic', () => {
  it('keeps a closed loop at its number of packets in flight, payers in turn, and ends with none', async () => {
    const { result, wire } = await run({ pace: { kind: 'closed', inFlight: 10 } })
    expect(wire.inFlightMax).toBe(10)
    expect(wire.inFlight).toBe(0)
    expect(result.failed).toEqual({})
    expect(result.fulfilled).toBeGreaterThan(10)
    expect(Math.abs(result.sent - result.fulfilled)).toBeLessThanOrEqual(10)
    expect(Math.abs(result.sentByPayer[0]! - result.sentByPayer[1]!)).toBeLessThanOrEqual(1)
    expect(result.fulfilledByPayer[0]! + result.fulfilledByPayer[1]!).toBe(result.fulfilled)
    expect(result.latencyMs.p50).toBeGreaterThan(0)
    expect(result.latencyMs.max).toBeGreaterThanOrEqual(result.latencyMs.p999)
  })

  it('offers an open loop exactly what is due in the window', async () => {
    const { result } = await run({ pace: { kind: 'open', packetsPerSecond: 5_000 } })
    expect(result.sent).toBeGreaterThanOrEqual(499)
    expect(result.sent).toBeLessThanOrEqual(501)
    expect(result.failed).toEqual({})
  })

  it('counts the latency of an open loop from the moment a packet was due, a stalled process included', async () => {
    let stallsAt: number | undefined = performance.now() + 50
    const { result } = await run(
      { pace: { kind: 'open', packetsPerSecond: 2_000 } },
      (wire, payer, tag, packet) => {
        if (stallsAt !== undefined && performance.now() > stallsAt) {
          stallsAt = undefined
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
        }
        wire.fulfill(payer, tag, packet)
      },
    )
    expect(result.sent).toBeGreaterThanOrEqual(199)
    // Half of the window was stalled: packets of that time waited for up to 50 ms although none was sent in it.
    expect(result.latencyMs.max).toBeGreaterThan(45)
    expect(result.latencyMs.p99).toBeGreaterThan(30)
  })

  it('counts what the wire does not take in an open loop as offered and busy', async () => {
    let answered = 0
    const { result } = await run(
      { pace: { kind: 'open', packetsPerSecond: 5_000 } },
      (wire, payer, tag, packet) => {
        wire.fulfill(payer, tag, packet)
        wire.isFull = ++answered > 100
      },
    )
    expect(result.failed.busy).toBeGreaterThan(0)
    expect(result.sent).toBeGreaterThanOrEqual(499)
    expect(result.fulfilled + result.failed.busy!).toBeGreaterThanOrEqual(result.sent - 1)
  })

  it('counts rejects by their code', async () => {
    const { result } = await run({ pace: { kind: 'closed', inFlight: 4 } }, (wire, payer, tag) =>
      wire.reply(payer, tag, REJECT),
    )
    expect(result.fulfilled).toBe(0)
    expect(result.failed.T04).toBeGreaterThan(0)
    expect(result.latencyMs.p50).toBeNaN()
  })

  it('counts an answer with a preimage that is not of its packet as wrong', async () => {
    let kept: Buffer | undefined
    const { result } = await run({ pace: { kind: 'closed', inFlight: 1 } }, (wire, payer, tag, packet) => {
      kept ??= packet
      wire.fulfill(payer, tag, kept)
    })
    expect(result.failed.wrong).toBeGreaterThan(0)
  })

  it('counts packets without an answer as timed out, and offers others in their place', async () => {
    const { result, wire } = await run(
      { pace: { kind: 'closed', inFlight: 3 }, measureMs: 600 },
      (wire, payer, tag) => wire.fail(payer, tag),
    )
    expect(result.fulfilled).toBe(0)
    expect(Object.keys(result.failed)).toEqual(['timeout'])
    expect(wire.sent).toBeGreaterThan(3)
    expect(wire.sent).toBeLessThan(20)
  })

  it('ignores a second answer to the same packet', async () => {
    const { result, wire } = await run(
      { pace: { kind: 'closed', inFlight: 2 } },
      (wire, payer, tag, packet) => {
        wire.fulfill(payer, tag, packet)
        wire.fulfill(payer, tag, packet)
      },
    )
    expect(wire.inFlightMax).toBe(2)
    expect(result.failed).toEqual({})
  })
})
