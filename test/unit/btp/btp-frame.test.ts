import assert from 'node:assert/strict'
import BtpPacket from 'btp-packet'
import { describe, expect, it } from 'vitest'
import {
  type BtpEntry,
  BtpErrorCode,
  BtpType,
  btpEntries,
  emptyBtpFrameView,
  encodeBtpEntries,
  encodeBtpError,
  hasDuplicateNames,
  ilpFrameLength,
  readBtpFrame,
  writeIlpFrame,
} from '../../../plugins/btp/btp-frame.ts'
import { pick, randomBytes, randomInt, seededRandom, testSeed } from './random.ts'

type Frame = ReturnType<typeof BtpPacket.deserialize>

/** What our codec makes of the bytes, in the words of btp-packet. */
function ours(
  bytes: Buffer,
): { type: number; requestId: number; entries: BtpEntry[]; code?: string } | undefined {
  const view = emptyBtpFrameView()
  // Stands amid other bytes, as in a socket's chunk.
  const around = Buffer.concat([Buffer.alloc(7, 0x55), bytes, Buffer.alloc(9, 0x55)])
  if (!readBtpFrame(around, 7, 7 + bytes.length, view)) return undefined
  const entries = btpEntries(around, view)
  if (view.entryCount > 0) {
    assert(around.subarray(view.dataStart, view.dataEnd).equals(entries[0]!.data))
    assert(view.isIlp === (entries[0]!.name === 'ilp'))
  }
  const { type, requestId } = view
  if (type !== BtpType.error) return { type, requestId, entries }
  return { type, requestId, entries, code: around.toString('latin1', view.codeOffset, view.codeOffset + 3) }
}

function theirs(bytes: Buffer): ReturnType<typeof ours> {
  let frame: Frame
  try {
    frame = BtpPacket.deserialize(bytes)
  } catch {
    return undefined
  }
  const { type, requestId, data } = frame
  const entries = data.protocolData.map((entry) => ({
    name: entry.protocolName,
    contentType: entry.contentType,
    data: entry.data,
  }))
  return 'code' in data ? { type, requestId, entries, code: data.code } : { type, requestId, entries }
}

function randomFrame(random: () => number): Buffer {
  const requestId = Math.floor(random() * 2 ** 32)
  const protocolData = Array.from({ length: pick(random, [0, 1, 1, 1, 2, 5]) }, () => ({
    protocolName: pick(random, ['ilp', 'auth', 'auth_token', 'x', '', 'n'.repeat(130)]),
    contentType: pick(random, [0, 1, 2, 255]),
    data: randomBytes(random, pick(random, [0, 1, 32, 100, 127, 128, 255, 256, 1_000])),
  }))
  switch (pick(random, ['message', 'response', 'error', 'transfer'])) {
    case 'message':
      return BtpPacket.serializeMessage(requestId, protocolData)
    case 'response':
      return BtpPacket.serializeResponse(requestId, protocolData)
    case 'transfer':
      return BtpPacket.serializeTransfer({ amount: '18446744073709551615' }, requestId, protocolData)
    default: {
      const data = pick(random, ['', 'why', 'x'.repeat(300)])
      const error = { code: 'F00', name: 'NotAcceptedError', triggeredAt: new Date().toISOString(), data }
      return BtpPacket.serializeError(error, requestId, protocolData)
    }
  }
}

describe('BTP codec against btp-packet', () => {
  it(`reads what it writes (seed ${testSeed})`, () => {
    const random = seededRandom(testSeed)
    for (let round = 0; round < 300; round++) {
      const bytes = randomFrame(random)
      expect(ours(bytes)).toEqual(theirs(bytes))
    }
  })

  it(`gives the same verdict on changed bytes, apart from the known differences (seed ${testSeed})`, () => {
    const random = seededRandom(testSeed)
    let refused = 0
    let stricter = 0
    for (let round = 0; round < 3_000; round++) {
      let bytes = Buffer.from(randomFrame(random))
      const changes = randomInt(random, 1, 3)
      for (let change = 0; change < changes; change++) {
        // Mostly the first bytes, where lengths and counts stand.
        const place =
          random() < 0.7
            ? randomInt(random, 0, Math.min(30, bytes.length - 1))
            : randomInt(random, 0, bytes.length - 1)
        if (random() < 0.1) bytes = bytes.subarray(0, place + 1)
        else
          bytes[place] = pick(random, [
            0,
            1,
            2,
            0x7f,
            0x80,
            0x81,
            0x82,
            0x84,
            0xff,
            Math.floor(random() * 256),
          ])
      }
      const our = ours(bytes)
      const their = theirs(bytes)
      if (our === undefined) refused++
      if (our === undefined && their !== undefined) {
        expect(weAreStricter(their), bytes.toString('hex')).toBe(true)
        stricter++
      } else if (our !== undefined && their === undefined) {
        expect(theyAreStricter(bytes), bytes.toString('hex')).toBe(true)
      } else {
        expect(withAsciiNames(our), bytes.toString('hex')).toEqual(withAsciiNames(their))
      }
    }
    expect(refused).toBeGreaterThan(200)
    expect(stricter).toBeLessThan(refused / 2)
  })

  /** We look at 64 entries with names of 255 bytes at most; no known peer comes near. */
  const weAreStricter = (their: NonNullable<ReturnType<typeof ours>>) =>
    their.entries.length > 64 || their.entries.some((entry) => entry.name.length > 255)

  /** btp-packet refuses lengths with leading zeros and those of more than six bytes; we take what RFC 30 lets a decoder take. */
  const theyAreStricter = (bytes: Buffer) => bytes.includes(0x80) || /8[1-8]/.test(bytes.toString('hex'))

  /** btp-packet drops the eighth bit of names; we keep names as they are and compare them so. */
  const withAsciiNames = (frame: ReturnType<typeof ours>) =>
    frame && {
      ...frame,
      ...(frame.code === undefined ? {} : { code: Buffer.from(frame.code, 'latin1').toString('ascii') }),
      entries: frame.entries.map((entry) => ({
        ...entry,
        name: Buffer.from(entry.name, 'latin1').toString('ascii'),
      })),
    }

  it(`never throws on random bytes (seed ${testSeed})`, () => {
    const random = seededRandom(testSeed)
    for (let round = 0; round < 4_000; round++) {
      const bytes = randomBytes(random, randomInt(random, 0, 60))
      if (bytes.length > 0) bytes[0] = pick(random, [1, 2, 6, 7, 3])
      const our = ours(bytes)
      if (our !== undefined && theirs(bytes) !== undefined) {
        expect(withAsciiNames(our)).toEqual(withAsciiNames(theirs(bytes)))
      }
    }
  })

  it('writes ILP frames byte for byte like it, at every border of a length', () => {
    for (const length of [
      0, 1, 50, 117, 118, 119, 120, 121, 127, 128, 129, 245, 250, 255, 256, 33_857, 41_997,
    ]) {
      const packet = Buffer.alloc(length, 0xab)
      const expected = BtpPacket.serializeMessage(0xfffe_ffff, [
        { protocolName: 'ilp', contentType: 0, data: packet },
      ])
      const target = Buffer.alloc(expected.length + 3)
      expect(ilpFrameLength(length)).toBe(expected.length)
      writeIlpFrame(target, 3, BtpType.message, 0xfffe_ffff, packet, 0, length)
      expect(target.subarray(3).equals(expected)).toBe(true)
    }
  })

  it('writes entries byte for byte like it', () => {
    const entries = [
      { name: 'auth', contentType: 0, data: Buffer.alloc(0) },
      { name: 'auth_token', contentType: 1, data: Buffer.alloc(200, 0x61) },
    ]
    const protocolData = entries.map(({ name, ...rest }) => ({ protocolName: name, ...rest }))
    expect(
      encodeBtpEntries(BtpType.message, 7, entries).equals(BtpPacket.serializeMessage(7, protocolData)),
    ).toBe(true)
    expect(encodeBtpEntries(BtpType.response, 8, []).equals(BtpPacket.serializeResponse(8, []))).toBe(true)
  })

  it('writes errors that it reads, with a time of exactly three decimals and no trailing zero', () => {
    const bytes = encodeBtpError(9, BtpErrorCode.invalidFields, 'why', Date.UTC(2026, 10, 22, 3, 4, 5, 670))
    const { requestId, data } = BtpPacket.deserialize(bytes)
    expect(requestId).toBe(9)
    expect(data).toMatchObject({ code: 'F01', name: 'InvalidFieldsError', data: 'why' })
    expect(bytes.includes('20261122030405.671Z')).toBe(true)
  })

  it('sees two entries of one name', () => {
    const entry = (name: string) => ({ protocolName: name, contentType: 0, data: Buffer.alloc(3) })
    const view = emptyBtpFrameView()
    const twice = BtpPacket.serializeMessage(1, [entry('ilp'), entry('a'), entry('a')])
    expect(readBtpFrame(twice, 0, twice.length, view) && hasDuplicateNames(twice, view)).toBe(true)
    const once = BtpPacket.serializeMessage(1, [entry('ilp'), entry('a'), entry('b')])
    expect(readBtpFrame(once, 0, once.length, view) && hasDuplicateNames(once, view)).toBe(false)
  })
})
