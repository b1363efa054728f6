import type { Kind } from './packet-maker.ts'

/**
 * The rules of RFC 15, 27 and 30 once more, slow and plain, plus a table of every way in which the
 * `ilp-packet` package departs from our reading of them. From both follows what each side must answer to
 * any bytes; the differential test holds both sides to it exactly.
 */

/** Why the two codecs may answer differently. */
export const DIFFERENCES = {
  longerLength: {
    refusedBy: 'ilp-packet',
    why: 'a length in more bytes than needed: RFC 27 lets a decoder accept it; we do and encode the packet anew',
  },
  epochZero: {
    refusedBy: 'ilp-packet',
    why: '1970-01-01T00:00:00.000Z is a valid time; ilp-packet takes the number 0 for no date',
  },
  noSuchMoment: {
    refusedBy: 'us',
    why: 'month 13, 30 February, hour 24, second 60 are invalid by RFC 30; ilp-packet carries them over',
  },
  noDigits: {
    refusedBy: 'us',
    why: 'a timestamp is 17 digits; ilp-packet reads " 1", "+1", "1.", "1e1" with Number() as well',
  },
  addressTopBit: {
    refusedBy: 'us',
    why: 'an address is ASCII; ilp-packet drops the top bit of every byte before it looks',
  },
  codeTopBit: { refusedBy: 'us', why: 'a code is IA5 (ASCII); ilp-packet drops the top bit of every byte' },
  longData: { refusedBy: 'us', why: 'data has at most 32,767 bytes by the ASN.1; ilp-packet has no bound' },
  longMessage: {
    refusedBy: 'us',
    why: 'message has at most 8,191 bytes by the ASN.1; ilp-packet has no bound',
  },
  yearBelow100: {
    refusedBy: 'nobody',
    why: 'year 0042 is 42; ilp-packet reads it as 1942 because Date.UTC does',
  },
} as const satisfies Record<string, { refusedBy: 'us' | 'ilp-packet' | 'nobody'; why: string }>

export type Difference = keyof typeof DIFFERENCES

/** What the model reads from bytes that at least one of the two sides accepts. */
export interface Reading {
  differences: Set<Difference>
  canonical: boolean
  amount?: bigint
  expiresAtMs?: number
  /** condition or fulfillment */
  hash?: Buffer
  code?: Buffer
  address?: Buffer
  message?: Buffer
  data: Buffer
}

class Refused extends Error {}

class Walk {
  readonly bytes: Buffer
  at = 0
  canonical = true
  readonly differences: Set<Difference>

  constructor(bytes: Buffer, differences: Set<Difference>) {
    this.bytes = bytes
    this.differences = differences
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new Refused('too short')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  takeVar(): Buffer {
    const first = this.take(1)[0]!
    if (first < 128) return this.take(first)
    const size = first - 128
    if (size === 0 || size > 8) throw new Refused('malformed length')
    const length = BigInt(`0x${this.take(size).toString('hex')}`)
    if (length > 1_000_000n) throw new Refused('too short')
    if (length < 128n || BigInt(size) !== BigInt(Math.ceil(length.toString(16).length / 2))) {
      this.canonical = false
      if (oracleRefusesLength(size, Number(length))) this.differences.add('longerLength')
    }
    return this.take(Number(length))
  }
}

/** oer-utils compares with a 32-bit shift, which wraps: five and six bytes of length can pass. */
function oracleRefusesLength(size: number, length: number): boolean {
  return size > 6 || length < Math.max(128, 1 << ((size - 1) * 8))
}

const ADDRESS = /^(g|private|example|peer|self|test[1-3]?|local)([.][a-zA-Z0-9_~-]+)+$/

function checkAddress(bytes: Buffer, differences: Set<Difference>): void {
  if (bytes.length > 1023) throw new Refused('address too long')
  if (ADDRESS.test(bytes.toString('latin1'))) return
  const stripped = Buffer.from(bytes.map((byte) => byte & 0x7f)).toString('latin1')
  if (!ADDRESS.test(stripped)) throw new Refused('no address')
  differences.add('addressTopBit')
}

function readExpiry(bytes: Buffer, differences: Set<Difference>): number {
  // ilp-packet turns the bytes into text without their top bits.
  const text = Buffer.from(bytes.map((byte) => byte & 0x7f)).toString('latin1')
  const cut = (from: number, to: number) => Number(text.slice(from, to))
  const carried = Date.UTC(
    cut(0, 4),
    cut(4, 6) - 1,
    cut(6, 8),
    cut(8, 10),
    cut(10, 12),
    cut(12, 14),
    cut(14, 17),
  )
  const strict = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})$/.exec(bytes.toString('latin1'))
  const iso =
    strict && `${strict[1]}-${strict[2]}-${strict[3]}T${strict[4]}:${strict[5]}:${strict[6]}.${strict[7]}Z`
  const strictMs = iso ? Date.parse(iso) : Number.NaN
  // Date.parse carries 30 February over and takes 24:00:00: a real moment reads back as itself.
  const isMoment = !Number.isNaN(strictMs) && new Date(strictMs).toISOString() === iso
  if (isMoment) {
    if (carried === 0) differences.add('epochZero')
    if (strictMs !== carried) differences.add('yearBelow100')
    return strictMs
  }
  if (Number.isNaN(carried) || carried === 0) throw new Refused('no time')
  differences.add(strict ? 'noSuchMoment' : 'noDigits')
  return carried
}

function readData(walk: Walk): Buffer {
  const data = walk.takeVar()
  if (data.length > 32_767) walk.differences.add('longData')
  return data
}

const TYPE = { prepare: 12, fulfill: 13, reject: 14 }

/** @returns undefined when both sides must refuse the bytes */
export function readByModel(kind: Kind, packet: Buffer): Reading | undefined {
  const differences = new Set<Difference>()
  const envelope = new Walk(packet, differences)
  try {
    if (envelope.take(1)[0] !== TYPE[kind]) return undefined
    const walk = new Walk(envelope.takeVar(), differences)
    const fields = readFields(kind, walk)
    const canonical =
      envelope.canonical && walk.canonical && envelope.at === packet.length && walk.at === walk.bytes.length
    return { differences, canonical, ...fields }
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

function readFields(kind: Kind, walk: Walk): Omit<Reading, 'differences' | 'canonical'> {
  if (kind === 'fulfill') return { hash: walk.take(32), data: readData(walk) }
  if (kind === 'prepare') {
    const amount = walk.take(8).readBigUInt64BE()
    const expiry = walk.take(17)
    const hash = walk.take(32)
    const expiresAtMs = readExpiry(expiry, walk.differences)
    const address = walk.takeVar()
    checkAddress(address, walk.differences)
    return { amount, expiresAtMs, hash, address, data: readData(walk) }
  }
  const code = walk.take(3)
  if (code.some((byte) => byte > 127)) walk.differences.add('codeTopBit')
  const address = walk.takeVar()
  if (address.length > 0) checkAddress(address, walk.differences)
  const message = walk.takeVar()
  if (message.length > 8191) walk.differences.add('longMessage')
  return { code, address, message, data: readData(walk) }
}
