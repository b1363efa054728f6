import { deserializeIlpFulfill, deserializeIlpPrepare, deserializeIlpReject } from 'ilp-packet'
import { describe, expect, it } from 'vitest'
import { reencodeFulfill, reencodePrepare, reencodeReject } from '../../src/ilp/encode-packet.ts'
import { PACKET_LENGTH_MAX } from '../../src/ilp/packet-view.ts'
import {
  createFulfillView,
  createPrepareView,
  createRejectView,
  parseFulfill,
  parsePrepare,
  parseReject,
} from '../../src/ilp/parse-packet.ts'
import { type Kind, makePacket, mutate } from './packet-maker.ts'
import { DIFFERENCES, type Difference, type Reading, readByModel } from './packet-model.ts'
import { createRandom } from './random.ts'

/**
 * Our parsers, npm's ilp-packet and a plain model of the rules read the same bytes. Every packet must be
 * accepted and refused exactly as the model and its table of differences say: nothing is skipped.
 */

const INTACT_PACKETS = 6_000
const MUTATED_PACKETS = 30_000

/** The fields of a packet in comparable form. */
interface Fields {
  amount?: string
  expiresAtMs?: number
  hash?: string
  code?: string
  address?: string
  message?: string
  data: string
}

const prepareView = createPrepareView()
const fulfillView = createFulfillView()
const rejectView = createRejectView()
const scratch = Buffer.alloc(PACKET_LENGTH_MAX)

interface Verdict {
  fields?: Fields
  error?: string
  canonical?: boolean
  /** The packet encoded anew from the view. */
  reencoded?: Buffer
}

const ours: Record<Kind, (packet: Buffer, start: number, end: number) => Verdict> = {
  prepare(packet, start, end) {
    const error = parsePrepare(packet, start, end, prepareView)
    if (error !== undefined) return { error }
    const v = prepareView
    const fields = {
      amount: v.amount.toString(),
      expiresAtMs: v.expiresAtMs,
      hash: packet.toString('hex', v.conditionOffset, v.conditionOffset + 32),
      address: packet.toString('latin1', v.destinationOffset, v.destinationOffset + v.destinationLength),
      data: packet.toString('hex', v.dataOffset, v.dataOffset + v.dataLength),
    }
    expect(typeof v.amount).toBe(BigInt(v.amount) < 2n ** 53n ? 'number' : 'bigint')
    return { fields, canonical: v.canonical, reencoded: scratch.subarray(0, reencodePrepare(v, scratch, 0)) }
  },
  fulfill(packet, start, end) {
    const error = parseFulfill(packet, start, end, fulfillView)
    if (error !== undefined) return { error }
    const v = fulfillView
    const fields = {
      hash: packet.toString('hex', v.fulfillmentOffset, v.fulfillmentOffset + 32),
      data: packet.toString('hex', v.dataOffset, v.dataOffset + v.dataLength),
    }
    return { fields, canonical: v.canonical, reencoded: scratch.subarray(0, reencodeFulfill(v, scratch, 0)) }
  },
  reject(packet, start, end) {
    const error = parseReject(packet, start, end, rejectView)
    if (error !== undefined) return { error }
    const v = rejectView
    const fields = {
      code: packet.toString('latin1', v.codeOffset, v.codeOffset + 3),
      address: packet.toString('latin1', v.triggeredByOffset, v.triggeredByOffset + v.triggeredByLength),
      message: packet.toString('utf8', v.messageOffset, v.messageOffset + v.messageLength),
      data: packet.toString('hex', v.dataOffset, v.dataOffset + v.dataLength),
    }
    return { fields, canonical: v.canonical, reencoded: scratch.subarray(0, reencodeReject(v, scratch, 0)) }
  },
}

const theirs: Record<Kind, (packet: Buffer) => Fields> = {
  prepare(packet) {
    const p = deserializeIlpPrepare(packet)
    return {
      amount: p.amount,
      expiresAtMs: p.expiresAt.getTime(),
      hash: p.executionCondition.toString('hex'),
      address: p.destination,
      data: p.data.toString('hex'),
    }
  },
  fulfill(packet) {
    const p = deserializeIlpFulfill(packet)
    return { hash: p.fulfillment.toString('hex'), data: p.data.toString('hex') }
  },
  reject(packet) {
    const p = deserializeIlpReject(packet)
    return { code: p.code, address: p.triggeredBy, message: p.message, data: p.data.toString('hex') }
  },
}

function theirVerdict(kind: Kind, packet: Buffer): Verdict {
  try {
    return { fields: theirs[kind](packet) }
  } catch (error) {
    return { error: String(error) }
  }
}

function modelFields(reading: Reading): Fields {
  return {
    ...(reading.amount === undefined ? {} : { amount: reading.amount.toString() }),
    ...(reading.expiresAtMs === undefined ? {} : { expiresAtMs: reading.expiresAtMs }),
    ...(reading.hash ? { hash: reading.hash.toString('hex') } : {}),
    ...(reading.code ? { code: reading.code.toString('latin1') } : {}),
    ...(reading.address ? { address: reading.address.toString('latin1') } : {}),
    ...(reading.message ? { message: reading.message.toString('utf8') } : {}),
    data: reading.data.toString('hex'),
  }
}

function refusedBy(side: 'us' | 'ilp-packet', differences: Set<Difference>): boolean {
  return [...differences].some((difference) => DIFFERENCES[difference].refusedBy === side)
}

/** The fields that ilp-packet must report where it reads the same bytes as something else. */
function asTheyReadIt(reading: Reading): Fields {
  const fields = modelFields(reading)
  const strip = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte & 0x7f)).toString('latin1')
  if (reading.differences.has('addressTopBit')) fields.address = strip(reading.address!)
  if (reading.differences.has('codeTopBit')) fields.code = strip(reading.code!)
  if (reading.differences.has('yearBelow100')) {
    const date = new Date(reading.expiresAtMs!)
    fields.expiresAtMs = Date.UTC(
      date.getUTCFullYear(),
      date.getUTCMonth(),
      date.getUTCDate(),
      date.getUTCHours(),
      date.getUTCMinutes(),
      date.getUTCSeconds(),
      date.getUTCMilliseconds(),
    )
  }
  return fields
}

/** Fails on anything that the model and its table do not foretell. Answers quickly when all is well. */
function compare(kind: Kind, packet: Buffer, seen: Map<Difference | 'none' | 'both refuse', number>): void {
  // Our parser reads in the middle of a larger buffer, as it does behind a socket.
  const framed = Buffer.concat([Buffer.from([12, 13, 14]), packet, Buffer.from('303030', 'hex')])
  const our = ours[kind](framed, 3, 3 + packet.length)
  const their = theirVerdict(kind, packet)
  const reading = readByModel(kind, packet)
  const note = (key: Difference | 'none' | 'both refuse') => seen.set(key, (seen.get(key) ?? 0) + 1)
  const context = () => `${kind} ${packet.toString('hex').slice(0, 600)}`

  if (reading === undefined) {
    note('both refuse')
    if (our.error === undefined || their.error === undefined)
      expect.fail(`both must refuse: ${context()} ours ${our.error} theirs ${their.error}`)
    return
  }
  const wePass = !refusedBy('us', reading.differences)
  const theyPass = !refusedBy('ilp-packet', reading.differences)
  if ((our.error === undefined) !== wePass || (their.error === undefined) !== theyPass) {
    expect.fail(
      `verdicts not as foretold by [${[...reading.differences]}]: ${context()} ours ${our.error} theirs ${their.error}`,
    )
  }
  if (wePass) {
    expect(our.fields, context()).toEqual(modelFields(reading))
    expect(our.canonical, context()).toBe(reading.canonical)
    if (reading.canonical) expect(our.reencoded!.equals(packet), context()).toBe(true)
    else expectCanonicalTwin(kind, our, context)
  }
  if (theyPass) expect(their.fields, context()).toEqual(asTheyReadIt(reading))
  if (reading.differences.size === 0) note('none')
  else for (const difference of reading.differences) note(difference)
}

/** What we make of a packet that is not canonical is canonical, not longer, and says the same. */
function expectCanonicalTwin(kind: Kind, our: Verdict, context: () => string): void {
  const twin = Buffer.from(our.reencoded!)
  const reading = readByModel(kind, twin)
  expect(reading?.canonical, context()).toBe(true)
  expect(modelFields(reading!), context()).toEqual(our.fields)
}

describe.each(['prepare', 'fulfill', 'reject'] as const)('our %s parser against ilp-packet', (kind) => {
  const possible: Record<Kind, Difference[]> = {
    prepare: [
      'longerLength',
      'epochZero',
      'noSuchMoment',
      'noDigits',
      'addressTopBit',
      'longData',
      'yearBelow100',
    ],
    fulfill: ['longerLength', 'longData'],
    reject: ['longerLength', 'addressTopBit', 'codeTopBit', 'longData', 'longMessage'],
  }

  it(`gives the foretold verdict and fields on ${INTACT_PACKETS} intact packets`, () => {
    const random = createRandom(`${kind}, intact`)
    const seen = new Map<Difference | 'none' | 'both refuse', number>()
    for (let i = 0; i < INTACT_PACKETS; i++) compare(kind, makePacket(kind, random, false), seen)
    expect(seen.get('none')).toBeGreaterThan(INTACT_PACKETS / 2)
    expect(seen.get('both refuse')).toBeUndefined()
  })

  it(`gives the foretold verdict and fields on ${MUTATED_PACKETS} damaged packets`, () => {
    const random = createRandom(`${kind}, damaged`)
    const seen = new Map<Difference | 'none' | 'both refuse', number>()
    for (let i = 0; i < MUTATED_PACKETS; i++) {
      const packet = makePacket(kind, random, random.chance(0.6))
      compare(kind, random.chance(0.8) ? mutate(packet, random) : packet, seen)
    }
    console.info(`${kind}:`, Object.fromEntries(seen))
    // Every class in the table was met, so none of them is there unproved.
    expect([...seen.keys()].sort()).toEqual(['both refuse', 'none', ...possible[kind]].sort())
  })

  it('never reads outside the packet, whatever its length says', () => {
    const random = createRandom(`${kind}, noise`)
    const seen = new Map<Difference | 'none' | 'both refuse', number>()
    for (let i = 0; i < 4_000; i++) {
      const noise = random.bytes(random.below(120))
      if (noise.length > 0 && random.chance(0.9)) noise[0] = { prepare: 12, fulfill: 13, reject: 14 }[kind]
      compare(kind, noise, seen)
    }
    expect(seen.size).toBeGreaterThan(0)
  })
})
