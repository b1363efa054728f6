import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { Answer, CONDITION_WORDS, DATA_BYTES_MIN, Packets } from '../../../bench/load/packets.ts'
import { encodeReject } from '../../../src/ilp/encode-packet.ts'
import { PacketType, type PrepareView } from '../../../src/ilp/packet-view.ts'
import {
  createFulfillView,
  createPrepareView,
  createRejectView,
  parseFulfill,
  parsePrepare,
  parseReject,
} from '../../../src/ilp/parse-packet.ts'

const NOW_MS = 1_700_000_000_000
const EXPIRES_MS = NOW_MS + 30_000
const ACCOUNTS = { addresses: ['g.bench.a', 'g.bench.b'], amount: 1_000, deliveredAmount: 1_000 }
const conditions = new Uint32Array(2 * CONDITION_WORDS)

let packets: Packets
beforeEach(() => {
  packets = new Packets({ ...ACCOUNTS, dataBytes: 100 })
})

function prepare(counter: number, payee = 1, at = 0): Buffer {
  return Buffer.from(packets.prepare(payee, counter, EXPIRES_MS, conditions, at))
}

function view(packet: Buffer): PrepareView {
  const found = createPrepareView()
  expect(parsePrepare(packet, 0, packet.length, found)).toBeUndefined()
  return found
}

function respond(packet: Buffer, payee = 1, nowMs = NOW_MS): Buffer {
  return packets.respond(payee, packet, 0, packet.length, nowMs)
}

function codeOf(reject: Buffer): string {
  const found = createRejectView()
  expect(parseReject(reject, 0, reject.length, found)).toBeUndefined()
  return reject.toString('latin1', found.codeOffset, found.codeOffset + 3)
}

describe('Packets', () => {
  it('makes canonical Prepares with what the load was asked for', () => {
    const packet = prepare(7)
    const { amount, expiresAtMs, dataLength, canonical, destinationOffset, destinationLength } = view(packet)
    expect({ amount, expiresAtMs, dataLength, canonical }).toEqual({
      amount: 1_000,
      expiresAtMs: EXPIRES_MS,
      dataLength: 100,
      canonical: true,
    })
    const destination = packet.toString('latin1', destinationOffset, destinationOffset + destinationLength)
    expect(destination).toMatch(/^g\.bench\.b\.\d{3}$/)
  })

  it('gives each packet a condition of its own', () => {
    const seen = new Set<string>()
    for (const counter of [0, 1, 255, 256, 2 ** 32, 2 ** 32 + 1, 2 ** 40]) {
      const packet = prepare(counter)
      const { conditionOffset } = view(packet)
      seen.add(packet.toString('hex', conditionOffset, conditionOffset + 32))
    }
    expect(seen.size).toBe(7)
  })

  it('answers with the preimage of the condition, which the payer takes', () => {
    const packet = prepare(2 ** 33 + 5)
    const fulfill = respond(packet)
    const found = createFulfillView()
    expect(parseFulfill(fulfill, 0, fulfill.length, found)).toBeUndefined()
    const preimage = fulfill.subarray(found.fulfillmentOffset, found.fulfillmentOffset + 32)
    const { conditionOffset } = view(packet)
    const condition = packet.subarray(conditionOffset, conditionOffset + 32)
    expect(createHash('sha256').update(preimage).digest()).toEqual(condition)
    expect(packets.checkAnswer(fulfill, 0, fulfill.length, conditions, 0)).toBe(Answer.fulfilled)
    expect(packets.firstFault).toBe('')
  })

  it("does not take another packet's preimage", () => {
    prepare(1, 1, 0)
    const fulfill = respond(prepare(2, 1, CONDITION_WORDS))
    expect(packets.checkAnswer(fulfill, 0, fulfill.length, conditions, 0)).toBe(Answer.wrong)
    expect(packets.checkAnswer(fulfill, 0, fulfill.length, conditions, CONDITION_WORDS)).toBe(
      Answer.fulfilled,
    )
  })

  it('calls an answer wrong that is no ILP answer', () => {
    prepare(1)
    const garbage = Buffer.from([PacketType.fulfill, 3, 1, 2, 3])
    expect(packets.checkAnswer(garbage, 0, garbage.length, conditions, 0)).toBe(Answer.wrong)
  })

  it.each([
    ['another amount', (packet: Buffer) => packet.writeUInt8(9, view(packet).amountOffset + 7), /^amount/],
    [
      'another condition',
      (packet: Buffer) => packet.writeUInt8(9, view(packet).conditionOffset),
      /condition/,
    ],
    ['another counter', (packet: Buffer) => packet.writeUInt8(9, view(packet).dataOffset + 7), /condition/],
    [
      'a foreign mark',
      (packet: Buffer) => packet.writeUInt32BE(9, view(packet).dataOffset + 10),
      /not sent to/,
    ],
    [
      'another address',
      (packet: Buffer) => packet.write('x', view(packet).destinationOffset + 8),
      /destination/,
    ],
  ])('refuses a packet with %s, and its payer counts it as wrong', (_what, spoil, fault) => {
    const packet = prepare(3)
    spoil(packet)
    const reject = respond(packet)
    expect(codeOf(reject)).toBe('F99')
    expect(packets.checkAnswer(reject, 0, reject.length, conditions, 0)).toBe(Answer.wrong)
    expect(packets.firstFault).toMatch(fault)
  })

  it('refuses a packet of another payee', () => {
    expect(codeOf(respond(prepare(3, 0), 1))).toBe('F99')
    expect(respond(prepare(3, 0), 0)[0]).toBe(PacketType.fulfill)
  })

  it('rejects what has expired without calling it wrong', () => {
    const reject = respond(prepare(3), 1, EXPIRES_MS)
    expect(codeOf(reject)).toBe('R00')
    expect(packets.checkAnswer(reject, 0, reject.length, conditions, 0)).toBe(Answer.rejected)
    expect(packets.firstFault).toBe('')
  })

  it('tells the code of a reject', () => {
    prepare(1)
    const reject = encodeReject('T04', 'g.bench', 'no credit')
    expect(packets.checkAnswer(reject, 0, reject.length, conditions, 0)).toBe(Answer.rejected)
    expect(packets.rejectCode(reject, 0, reject.length)).toBe('T04')
  })

  it('expects what the rate makes of the amount', () => {
    packets = new Packets({ ...ACCOUNTS, deliveredAmount: 998, dataBytes: 64 })
    const packet = prepare(1)
    expect(codeOf(respond(packet))).toBe('F99')
    packet.writeUInt16BE(998, view(packet).amountOffset + 6)
    expect(respond(packet)[0]).toBe(PacketType.fulfill)
  })

  it('refuses data too short to name a packet', () => {
    expect(() => new Packets({ ...ACCOUNTS, dataBytes: DATA_BYTES_MIN - 1 })).toThrow(RangeError)
  })
})
