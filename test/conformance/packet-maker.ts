import type { Random } from './random.ts'

/**
 * Makes packets field by field, with the choice of every length encoding, and damages them. Shares no code
 * with the codec under test.
 */

/** How a length is encoded: as it should be, or in `size` bytes of long form. */
export type LengthForm = 'canonical' | { longSize: number }

export function encodeLength(length: number, form: LengthForm = 'canonical'): Buffer {
  if (form === 'canonical') {
    if (length < 128) return Buffer.of(length)
    const hex = length.toString(16)
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
    return Buffer.concat([Buffer.of(0x80 | bytes.length), bytes])
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return Buffer.concat([Buffer.of(0x80 | form.longSize), bytes.subarray(8 - form.longSize)])
}

function randomForm(random: Random, length: number): LengthForm {
  if (!random.chance(0.04)) return 'canonical'
  const smallest = length < 0x100 ? 1 : 2
  return { longSize: smallest + random.below(9 - smallest) }
}

function varOctets(random: Random, bytes: Buffer): Buffer {
  return Buffer.concat([encodeLength(bytes.length, randomForm(random, bytes.length)), bytes])
}

const SCHEMES = ['g', 'private', 'example', 'peer', 'self', 'test', 'test1', 'test2', 'test3', 'local']
const SEGMENT_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~-'

export function randomAddress(random: Random): string {
  if (random.chance(0.02)) {
    const length = random.pick([127, 128, 255, 256, 1022, 1023])
    return `g.${'a'.repeat(length - 2)}`
  }
  let address = random.pick(SCHEMES)
  for (let segments = 1 + random.below(5); segments > 0; segments--) {
    address += '.'
    for (let i = 1 + random.below(12); i > 0; i--) address += random.pick([...SEGMENT_CHARACTERS])
  }
  return address
}

/** Nearly an address, or one with a wrong byte. */
function oddAddress(random: Random): Buffer {
  const bytes = Buffer.from(randomAddress(random), 'latin1')
  switch (random.below(7)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1))
    case 1: {
      const at = random.below(bytes.length)
      bytes[at] = bytes[at]! | 0x80
      return bytes
    }
    case 2:
      return Buffer.concat([bytes, Buffer.from('.')])
    case 3:
      return Buffer.from(
        random.pick(['', 'g', 'g.', '.a', 'g..a', 'test4.a', 'tes.a', 'G.a', 'g.a b', 'peer', 'g.\n']),
      )
    case 4:
      return Buffer.from(`g.${'b'.repeat(random.pick([1021, 1022, 1023, 2000]))}`)
    default:
      bytes[random.below(bytes.length)] = random.below(256)
      return bytes
  }
}

const SIZES = [0, 1, 127, 128, 255, 256, 300]
const BOUNDARY_SIZES = [32_766, 32_767]
const EXCESSIVE_SIZES = [32_768, 33_000]

function randomData(random: Random, odd: boolean): Buffer {
  if (odd && random.chance(0.01)) return Buffer.alloc(random.pick(EXCESSIVE_SIZES), 7)
  if (random.chance(0.004)) return Buffer.alloc(random.pick(BOUNDARY_SIZES), 7)
  return random.bytes(random.chance(0.3) ? random.pick(SIZES) : random.below(48))
}

const AMOUNTS = [
  0n,
  1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]

export function randomAmount(random: Random): bigint {
  return random.chance(0.3)
    ? random.pick(AMOUNTS)
    : random.bytes(8).readBigUInt64BE() >> BigInt(random.below(64))
}

const digits = (value: number, width: number) => String(value).padStart(width, '0')

function randomTimestamp(random: Random): string {
  const year = random.chance(0.1) ? random.below(10_000) : 2000 + random.below(100)
  return (
    digits(year, 4) +
    digits(1 + random.below(12), 2) +
    digits(1 + random.below(28), 2) +
    digits(random.below(24), 2) +
    digits(random.below(60), 2) +
    digits(random.below(60), 2) +
    digits(random.below(1000), 3)
  )
}

function oddTimestamp(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return digits(random.below(10_000), 4) + digits(random.below(1e8), 8) + digits(random.below(1e5), 5)
    case 1:
      return random.pick(['19700101000000000', '00700101000000000', '19700101000000001', '00000229000000000'])
    case 2:
      return random.pick(['20230229000000000', '20240229235959999', '21000229000000000', '20000229120000000'])
    case 3:
      return random.pick(['20161231235960852', '20171224240000000', '20171324161432200', '20170024161432200'])
    default: {
      const at = random.below(17)
      const text = randomTimestamp(random)
      const character = random.pick([' ', '+', '-', '.', 'e', 'x', '/', ':', '9', '0', '\n', '\u00b0'])
      return text.slice(0, at) + character + text.slice(at + 1)
    }
  }
}

const MESSAGES = [
  '',
  'no route to destination',
  'größer als erlaubt €',
  '\u{1f600}'.repeat(70),
  'x'.repeat(8191),
]

function randomMessage(random: Random, odd: boolean): Buffer {
  if (odd && random.chance(0.05)) return Buffer.alloc(random.pick([8192, 9000]), 0x61)
  if (odd && random.chance(0.1)) return random.bytes(random.below(20))
  return Buffer.from(random.chance(0.01) ? random.pick(MESSAGES) : random.pick(MESSAGES.slice(0, 4)))
}

function randomCode(random: Random, odd: boolean): Buffer {
  return odd && random.chance(0.1)
    ? random.bytes(3)
    : Buffer.from(random.pick(['F00', 'F99', 'T04', 'R00', 'F09', 'abc']))
}

export type Kind = 'prepare' | 'fulfill' | 'reject'
const TYPE = { prepare: 12, fulfill: 13, reject: 14 }

function contentsOf(kind: Kind, random: Random, odd: boolean): Buffer {
  if (kind === 'fulfill') return Buffer.concat([random.bytes(32), varOctets(random, randomData(random, odd))])
  const address = odd && random.chance(0.15) ? oddAddress(random) : Buffer.from(randomAddress(random))
  if (kind === 'reject') {
    const triggeredBy = random.chance(0.2) ? Buffer.alloc(0) : address
    return Buffer.concat([
      randomCode(random, odd),
      varOctets(random, triggeredBy),
      varOctets(random, randomMessage(random, odd)),
      varOctets(random, randomData(random, odd)),
    ])
  }
  const amount = Buffer.alloc(8)
  amount.writeBigUInt64BE(randomAmount(random))
  const timestamp = odd && random.chance(0.25) ? oddTimestamp(random) : randomTimestamp(random)
  return Buffer.concat([
    amount,
    Buffer.from(timestamp, 'latin1'),
    random.bytes(32),
    varOctets(random, address),
    varOctets(random, randomData(random, odd)),
  ])
}

/** A packet. When `odd`, its fields may be invalid in the ways that differ between implementations. */
export function makePacket(kind: Kind, random: Random, odd: boolean): Buffer {
  const rest = random.chance(0.02) ? random.bytes(1 + random.below(4)) : Buffer.alloc(0)
  const contents = Buffer.concat([contentsOf(kind, random, odd), rest])
  const trailer = random.chance(0.02) ? random.bytes(1 + random.below(4)) : Buffer.alloc(0)
  return Buffer.concat([Buffer.of(TYPE[kind]), varOctets(random, contents), trailer])
}

const TELLING_BYTES = [
  0x00, 0x01, 0x2e, 0x2f, 0x30, 0x39, 0x3a, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x85, 0x86, 0x88, 0x89, 0xff,
]

/** Damages a packet one to three times: flips, sets, cuts, inserts, removes, or edits the envelope's length. */
export function mutate(packet: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(packet)
  for (let times = 1 + random.below(3); times > 0 && bytes.length > 0; times--)
    bytes = mutateOnce(bytes, random)
  return bytes
}

function mutateOnce(bytes: Buffer, random: Random): Buffer {
  // Headers and short fields sit in front: half of the damage goes there.
  const at = random.chance(0.5) ? random.below(Math.min(bytes.length, 80)) : random.below(bytes.length)
  switch (random.below(8)) {
    case 0:
    case 1:
      bytes[at] = bytes[at]! ^ (1 << random.below(8))
      return bytes
    case 2:
    case 3:
      bytes[at] = random.pick(TELLING_BYTES)
      return bytes
    case 4:
      return bytes.subarray(0, at)
    case 5:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(4)), bytes.subarray(at)])
    case 6:
      return Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(Math.min(bytes.length, at + 1 + random.below(4))),
      ])
    default: {
      // The contents as they are behind another length: other form, or a few bytes off.
      const header = bytes.length > 1 && bytes[1]! < 0x80 ? 2 : 2 + ((bytes[1] ?? 0) & 0x7f)
      const contents = bytes.subarray(Math.min(header, bytes.length))
      const length = Math.max(0, contents.length + random.below(5) - 2)
      const form = { longSize: length < 0x100 ? 1 + random.below(8) : 2 + random.below(7) }
      return Buffer.concat([
        bytes.subarray(0, 1),
        encodeLength(length, random.chance(0.5) ? form : 'canonical'),
        contents,
      ])
    }
  }
}
