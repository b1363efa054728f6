import { describe, expect, it } from 'vitest'
import { encodeFulfill, encodePrepare, encodeReject } from '../../../src/ilp/encode-packet.ts'
import {
  createFulfillView,
  createPrepareView,
  createRejectView,
  parseFulfill,
  parsePrepare,
  parseReject,
} from '../../../src/ilp/parse-packet.ts'

const PREPARE = encodePrepare({
  amount: 107,
  expiresAtMs: Date.UTC(2026, 0, 1),
  condition: Buffer.alloc(32, 1),
  destination: 'g.a.b',
  data: Buffer.from('data'),
})
const FULFILL = encodeFulfill(Buffer.alloc(32, 2), Buffer.from('data'))
const REJECT = encodeReject('F02', 'g.node', 'no route', Buffer.from('data'))

const prepareError = (packet: Buffer) => parsePrepare(packet, 0, packet.length, createPrepareView())
const fulfillError = (packet: Buffer) => parseFulfill(packet, 0, packet.length, createFulfillView())
const rejectError = (packet: Buffer) => parseReject(packet, 0, packet.length, createRejectView())

/** The packet with the bytes at `offset` replaced. */
function withBytes(packet: Buffer, offset: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(packet)
  copy.set(bytes, offset)
  return copy
}

/** The packet with another body behind the same fixed fields, and the envelope to fit. */
function withRest(packet: Buffer, fixedLength: number, rest: Buffer): Buffer {
  const contents = Buffer.concat([packet.subarray(2, 2 + fixedLength), rest])
  const length = Buffer.alloc(3)
  length[0] = 0x82
  length.writeUInt16BE(contents.length, 1)
  return Buffer.concat([packet.subarray(0, 1), length, contents])
}

const AFTER_CONDITION = 57
const AFTER_FULFILLMENT = 32
const AFTER_CODE = 3

describe('parsePrepare', () => {
  it('finds every field in the middle of a larger buffer without a copy', () => {
    const buffer = Buffer.concat([Buffer.from('..'), PREPARE, Buffer.from('..')])
    const view = createPrepareView()
    expect(parsePrepare(buffer, 2, 2 + PREPARE.length, view)).toBeUndefined()
    expect(view.buffer).toBe(buffer)
    expect(view).toMatchObject({
      start: 2,
      end: 2 + PREPARE.length,
      amount: 107,
      amountOffset: 4,
      expiresAtMs: Date.UTC(2026, 0, 1),
      expiryOffset: 12,
      conditionOffset: 29,
      destinationOffset: 62,
      destinationLength: 5,
      dataOffset: 68,
      dataLength: 4,
      canonical: true,
    })
  })

  it.each([
    ['no bytes', Buffer.alloc(0), 'the packet is empty or its bounds are wrong'],
    ['another type', FULFILL, 'not an ILP Prepare: the type byte is not 12'],
    ['a length of 0x80', withBytes(PREPARE, 1, 0x80), 'the length of the contents is malformed'],
    ['a cut packet', PREPARE.subarray(0, -1), 'the contents run past the end of the packet'],
    [
      'contents that are too short',
      Buffer.concat([Buffer.of(12, 56), Buffer.alloc(56)]),
      'the contents end before the amount, expiresAt and executionCondition do',
    ],
    ['month 13', withBytes(PREPARE, 14, 0x31, 0x33), 'expiresAt is not a valid time of 17 digits'],
    [
      'a malformed destination length',
      withBytes(PREPARE, 59, 0x80),
      'the length of destination is malformed',
    ],
    [
      'a destination past the end',
      withBytes(PREPARE, 59, 0x20),
      'destination runs past the end of the contents',
    ],
    ['an invalid destination', withBytes(PREPARE, 60, 0x68), 'destination is not a valid ILP address'],
    [
      'a destination that is too long',
      withRest(PREPARE, AFTER_CONDITION, Buffer.concat([Buffer.of(0x82, 4, 0), Buffer.alloc(1025, 0x61)])),
      'destination is longer than 1023 bytes',
    ],
    ['a malformed data length', withBytes(PREPARE, 65, 0x89), 'the length of data is malformed'],
    ['data past the end', withBytes(PREPARE, 65, 5), 'data runs past the end of the contents'],
    [
      'too much data',
      withRest(
        PREPARE,
        AFTER_CONDITION,
        Buffer.concat([Buffer.from('\x03g.a'), Buffer.of(0x82, 0x80, 0), Buffer.alloc(32_768)]),
      ),
      'data is longer than 32767 bytes',
    ],
    [
      'no data field',
      withRest(PREPARE, AFTER_CONDITION, Buffer.from('\x03g.a')),
      'data runs past the end of the contents',
    ],
  ])('says what is wrong with %s', (_what, packet, error) => {
    expect(prepareError(packet)).toBe(error)
  })

  it('refuses bounds outside the buffer', () => {
    const view = createPrepareView()
    const error = 'the packet is empty or its bounds are wrong'
    expect(parsePrepare(PREPARE, 0, PREPARE.length + 1, view)).toBe(error)
    expect(parsePrepare(PREPARE, -1, PREPARE.length, view)).toBe(error)
    expect(parsePrepare(PREPARE, 5, 5, view)).toBe(error)
    expect(parsePrepare(PREPARE, 0, Number.NaN, view)).toBe(error)
  })

  it('leaves the view alone when it refuses a packet', () => {
    const view = createPrepareView()
    parsePrepare(PREPARE, 0, PREPARE.length, view)
    const before = { ...view }
    parsePrepare(withBytes(PREPARE, 65, 5), 0, PREPARE.length, view)
    expect(view).toEqual(before)
  })
})

describe('parseFulfill', () => {
  it('finds every field', () => {
    const view = createFulfillView()
    expect(parseFulfill(FULFILL, 0, FULFILL.length, view)).toBeUndefined()
    expect(view).toMatchObject({ fulfillmentOffset: 2, dataOffset: 35, dataLength: 4, canonical: true })
  })

  it.each([
    ['no bytes', Buffer.alloc(0), 'the packet is empty or its bounds are wrong'],
    ['another type', REJECT, 'not an ILP Fulfill: the type byte is not 13'],
    ['a length of 0x80', withBytes(FULFILL, 1, 0x80), 'the length of the contents is malformed'],
    [
      'contents that are too short',
      Buffer.concat([Buffer.of(13, 31), Buffer.alloc(31)]),
      'the contents end before the fulfillment does',
    ],
    ['a malformed data length', withBytes(FULFILL, 34, 0x80), 'the length of data is malformed'],
    ['data past the end', withBytes(FULFILL, 34, 5), 'data runs past the end of the contents'],
    [
      'too much data',
      withRest(FULFILL, AFTER_FULFILLMENT, Buffer.concat([Buffer.of(0x82, 0x80, 0), Buffer.alloc(32_768)])),
      'data is longer than 32767 bytes',
    ],
  ])('says what is wrong with %s', (_what, packet, error) => {
    expect(fulfillError(packet)).toBe(error)
  })
})

describe('parseReject', () => {
  it('finds every field', () => {
    const view = createRejectView()
    expect(parseReject(REJECT, 0, REJECT.length, view)).toBeUndefined()
    expect(view).toMatchObject({
      codeOffset: 2,
      triggeredByOffset: 6,
      triggeredByLength: 6,
      messageOffset: 13,
      messageLength: 8,
      dataOffset: 22,
      dataLength: 4,
      canonical: true,
    })
  })

  it('takes an empty triggeredBy, an unknown code and a message that is no UTF-8', () => {
    const rest = Buffer.of(0, 2, 0xff, 0xfe, 0)
    expect(rejectError(withRest(withBytes(REJECT, 2, 0x46, 0x30, 0x39), AFTER_CODE, rest))).toBeUndefined()
  })

  it.each([
    ['no bytes', Buffer.alloc(0), 'the packet is empty or its bounds are wrong'],
    ['another type', PREPARE, 'not an ILP Reject: the type byte is not 14'],
    ['contents past the end', REJECT.subarray(0, 9), 'the contents run past the end of the packet'],
    ['contents that are too short', Buffer.of(14, 2, 0x46, 0x30), 'the contents end before the code does'],
    ['a code beyond ASCII', withBytes(REJECT, 3, 0xb0), 'code is not three ASCII characters'],
    ['a malformed triggeredBy length', withBytes(REJECT, 5, 0x80), 'the length of triggeredBy is malformed'],
    [
      'a triggeredBy past the end',
      withBytes(REJECT, 5, 0x60),
      'triggeredBy runs past the end of the contents',
    ],
    [
      'an invalid triggeredBy',
      withBytes(REJECT, 7, 0x2d),
      'triggeredBy is neither empty nor a valid ILP address',
    ],
    ['a malformed message length', withBytes(REJECT, 12, 0x80), 'the length of message is malformed'],
    ['a message past the end', withBytes(REJECT, 12, 0x60), 'message runs past the end of the contents'],
    [
      'a message that is too long',
      withRest(REJECT, AFTER_CODE, Buffer.concat([Buffer.of(0, 0x82, 0x20, 0), Buffer.alloc(8193)])),
      'message is longer than 8191 bytes',
    ],
    ['a malformed data length', withBytes(REJECT, 21, 0x80), 'the length of data is malformed'],
    ['data past the end', withBytes(REJECT, 21, 5), 'data runs past the end of the contents'],
    [
      'too much data',
      withRest(REJECT, AFTER_CODE, Buffer.concat([Buffer.of(0, 0, 0x82, 0x80, 0), Buffer.alloc(32_768)])),
      'data is longer than 32767 bytes',
    ],
  ])('says what is wrong with %s', (_what, packet, error) => {
    expect(rejectError(packet)).toBe(error)
  })
})
