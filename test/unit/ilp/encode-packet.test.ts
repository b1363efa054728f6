import fc from 'fast-check'
import {
  deserializeIlpFulfill,
  deserializeIlpPrepare,
  deserializeIlpReject,
  serializeIlpFulfill,
  serializeIlpPrepare,
  serializeIlpReject,
} from 'ilp-packet'
import { describe, expect, it } from 'vitest'
import { toAmount } from '../../../src/ilp/amount.ts'
import {
  encodeFulfill,
  encodePrepare,
  encodeReject,
  reencodePrepare,
  writeFulfill,
  writePrepare,
  writeReject,
} from '../../../src/ilp/encode-packet.ts'
import {
  FULFILL_LENGTH_MAX,
  PACKET_LENGTH_MAX,
  PREPARE_LENGTH_MAX,
  REJECT_LENGTH_MAX,
} from '../../../src/ilp/packet-view.ts'
import { createPrepareView, parsePrepare } from '../../../src/ilp/parse-packet.ts'
import { patchPrepare } from '../../../src/ilp/patch-prepare.ts'
import { TIMESTAMP_MAX_MS } from '../../../src/ilp/timestamp.ts'

const LONGEST_ADDRESS = `g.${'a'.repeat(1021)}`
const CONDITION = Buffer.alloc(32, 5)

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => Buffer.from(array))
const data = fc
  .oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(0, 127, 128, 255, 256, 32_767).map((length) => new Uint8Array(length)),
  )
  .map((array) => Buffer.from(array))
const address = fc.oneof(
  fc.constantFrom(
    'g.a',
    LONGEST_ADDRESS,
    'peer.config',
    `test1.${'b'.repeat(122)}`,
    `test1.${'b'.repeat(250)}`,
  ),
  fc.stringMatching(/^local(\.[A-Za-z0-9_~-]{1,9}){1,4}$/),
)
const amount = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 2n ** 53n - 2n, max: 2n ** 53n + 2n }),
  fc.constantFrom(0n, 2n ** 64n - 1n),
)

describe('encodePrepare', () => {
  it('writes the bytes that ilp-packet writes, and they parse to the same fields', () => {
    const time = fc.integer({ min: 0, max: TIMESTAMP_MAX_MS })
    fc.assert(
      fc.property(
        amount,
        time,
        bytes32,
        address,
        data,
        (value, expiresAtMs, condition, destination, body) => {
          const packet = encodePrepare({
            amount: toAmount(value),
            expiresAtMs,
            condition,
            destination,
            data: body,
          })
          const theirs = serializeIlpPrepare({
            amount: value.toString(),
            expiresAt: new Date(expiresAtMs),
            executionCondition: condition,
            destination,
            data: body,
          })
          expect(packet.equals(theirs)).toBe(true)
          const view = createPrepareView()
          expect(parsePrepare(packet, 0, packet.length, view)).toBeUndefined()
          expect(view).toMatchObject({
            amount: toAmount(value),
            expiresAtMs,
            canonical: true,
            end: packet.length,
          })
          expect(packet.subarray(view.conditionOffset, view.conditionOffset + 32).equals(condition)).toBe(
            true,
          )
          const { destinationOffset: at, destinationLength, dataOffset } = view
          expect(packet.toString('latin1', at, at + destinationLength)).toBe(destination)
          expect(packet.subarray(dataOffset, dataOffset + view.dataLength).equals(body)).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('reaches the longest Prepare there is', () => {
    const packet = encodePrepare({
      amount: 2n ** 64n - 1n,
      expiresAtMs: TIMESTAMP_MAX_MS,
      condition: CONDITION,
      destination: LONGEST_ADDRESS,
      data: Buffer.alloc(32_767),
    })
    expect(packet.length).toBe(PREPARE_LENGTH_MAX)
    expect(parsePrepare(packet, 0, packet.length, createPrepareView())).toBeUndefined()
  })

  const good = { amount: 1, expiresAtMs: 1, condition: CONDITION, destination: 'g.a' }

  it.each([
    ['a short condition', { ...good, condition: CONDITION.subarray(1) }, /32 bytes/],
    ['a bad address', { ...good, destination: 'g' }, /not an ILP address/],
    ['too much data', { ...good, data: Buffer.alloc(32_768) }, /at most 32767/],
    ['a negative amount', { ...good, amount: -1 }, /amount/],
    ['a fraction of a millisecond', { ...good, expiresAtMs: 1.5 }, /Interledger time/],
  ])('refuses %s', (_what, fields, message) => {
    expect(() => encodePrepare(fields)).toThrow(message)
  })

  it('refuses a target without room and takes one with just enough', () => {
    const length = encodePrepare(good).length
    expect(() => writePrepare(Buffer.alloc(length), 1, good)).toThrow(/needs \d+ bytes/)
    expect(writePrepare(Buffer.alloc(length + 1), 1, good)).toBe(length + 1)
  })
})

describe('encodeFulfill', () => {
  it('writes the bytes that ilp-packet writes', () => {
    fc.assert(
      fc.property(bytes32, data, (fulfillment, body) => {
        const packet = encodeFulfill(fulfillment, body)
        expect(packet.equals(serializeIlpFulfill({ fulfillment, data: body }))).toBe(true)
        expect(deserializeIlpFulfill(packet)).toEqual({ fulfillment, data: body })
      }),
      { numRuns: 200 },
    )
  })

  it('reaches the longest Fulfill there is', () => {
    expect(encodeFulfill(CONDITION, Buffer.alloc(32_767)).length).toBe(FULFILL_LENGTH_MAX)
  })

  it('refuses a short fulfillment, too much data, and a target without room', () => {
    expect(() => encodeFulfill(Buffer.alloc(31))).toThrow(/32 bytes/)
    expect(() => encodeFulfill(CONDITION, Buffer.alloc(32_768))).toThrow(/at most 32767/)
    expect(() => writeFulfill(Buffer.alloc(34), 0, CONDITION, Buffer.alloc(0))).toThrow(/needs 35 bytes/)
  })
})

describe('encodeReject', () => {
  it('writes the bytes that ilp-packet writes', () => {
    const code = fc.constantFrom('F00', 'F99', 'T04', 'R02', 'F09')
    const triggeredBy = fc.oneof(fc.constant(''), address)
    const message = fc.string({ unit: 'grapheme', maxLength: 200 })
    fc.assert(
      fc.property(code, triggeredBy, message, data, (errorCode, node, text, body) => {
        const theirs = serializeIlpReject({ code: errorCode, triggeredBy: node, message: text, data: body })
        expect(encodeReject(errorCode, node, text, body).equals(theirs)).toBe(true)
        expect(encodeReject(errorCode, Buffer.from(node), text, body).equals(theirs)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('cuts a message that is too long, between two characters', () => {
    const read = deserializeIlpReject(encodeReject('F00', 'g.a', `x${'€'.repeat(3000)}`))
    expect(read.message).toBe(`x${'€'.repeat(2730)}`)
    expect(Buffer.byteLength(read.message)).toBe(8191)
    expect(
      Buffer.byteLength(deserializeIlpReject(encodeReject('F00', '', `${'€'.repeat(3000)}`)).message),
    ).toBe(8190)
  })

  it('reaches the longest Reject there is', () => {
    const packet = encodeReject('F99', LONGEST_ADDRESS, 'm'.repeat(9000), Buffer.alloc(32_767))
    expect(packet.length).toBe(REJECT_LENGTH_MAX)
  })

  it('refuses codes that are not three ASCII characters, and fields that are too long', () => {
    for (const code of ['', 'F0', 'F000', 'F0é'])
      expect(() => encodeReject(code, '', '')).toThrow(/three ASCII/)
    expect(() => encodeReject('F00', `${LONGEST_ADDRESS}a`, '')).toThrow(/1023/)
    expect(() => encodeReject('F00', '', '', Buffer.alloc(32_768))).toThrow(/at most 32767/)
    expect(() => writeReject(Buffer.alloc(7), 0, 'F00', '', '', Buffer.alloc(0))).toThrow(/needs 8 bytes/)
  })
})

describe('reencodePrepare', () => {
  it('makes a patched Prepare with long lengths and trailing bytes canonical', () => {
    const canonical = encodePrepare({
      amount: 5,
      expiresAtMs: 1e12,
      condition: CONDITION,
      destination: 'g.a',
      data: Buffer.from('payload'),
    })
    const contents = canonical.subarray(2)
    // The envelope's length in eight bytes instead of one, one byte too many inside, two after.
    const odd = Buffer.concat([
      Buffer.of(12, 0x88, 0, 0, 0, 0, 0, 0, 0, contents.length + 1),
      contents,
      Buffer.from('xyz'),
    ])
    const view = createPrepareView()
    expect(parsePrepare(odd, 0, odd.length, view)).toBeUndefined()
    expect(view.canonical).toBe(false)
    patchPrepare(view, 2n ** 53n, 1_111_111_111_111)
    const target = Buffer.alloc(PACKET_LENGTH_MAX)
    const end = reencodePrepare(view, target, 4)
    expect(deserializeIlpPrepare(target.subarray(4, end))).toEqual({
      amount: '9007199254740992',
      expiresAt: new Date(1_111_111_111_111),
      executionCondition: CONDITION,
      destination: 'g.a',
      data: Buffer.from('payload'),
    })
    expect(end - 4).toBe(canonical.length)
    expect(() => reencodePrepare(view, Buffer.alloc(canonical.length - 1), 0)).toThrow(/needs/)
  })
})
