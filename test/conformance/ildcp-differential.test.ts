import {
  deserializeIldcpRequest,
  deserializeIldcpResponse,
  serializeIldcpRequest,
  serializeIldcpResponse,
} from 'ilp-protocol-ildcp'
import { describe, expect, it } from 'vitest'
import type { IlpAddress } from '../../src/ilp/address.ts'
import { encodeFulfill } from '../../src/ilp/encode-packet.ts'
import {
  decodeIldcpReply,
  encodeIldcpReply,
  encodeIldcpRequest,
  type IldcpReply,
  PEER_PROTOCOL_FULFILLMENT,
} from '../../src/ilp/ildcp.ts'
import { DecodeError } from '../../src/ilp/oer.ts'
import { encodeLength, mutate, randomAddress } from './packet-maker.ts'
import { createRandom, type Random } from './random.ts'

/** Our ILDCP codec and npm's ilp-protocol-ildcp on the same bytes: every difference is in the table and is met. */

const DIFFERENCES = {
  longerLength: 'they refuse a length in more bytes than needed, RFC 27 lets a decoder take it',
  addressTopBit: 'they drop the top bit of address bytes before they look at them',
  peerAddress: 'they take an address under peer., which nothing can be routed to',
  assetCode: 'they take an asset code of any length and any bytes; ours has 1 to 64 bytes of clean UTF-8',
} as const
type Difference = keyof typeof DIFFERENCES

const ASSET_CODES = ['XRP', 'USD', 'a', '€', 'Ωmega', 'x'.repeat(64)]
const ODD_ASSET_CODES = [Buffer.alloc(0), Buffer.alloc(65, 0x61), Buffer.from('U\nD'), Buffer.of(0xff, 0x61)]

function theirReply(data: Buffer): IldcpReply | 'refused' {
  try {
    const { clientAddress, assetScale, assetCode } = deserializeIldcpResponse(
      encodeFulfill(PEER_PROTOCOL_FULFILLMENT, data),
    )
    return { address: clientAddress as string as IlpAddress, assetScale, assetCode }
  } catch {
    return 'refused'
  }
}

function ourReply(data: Buffer): IldcpReply | 'refused' {
  try {
    return decodeIldcpReply(data)
  } catch (error) {
    if (error instanceof DecodeError) return 'refused'
    throw error
  }
}

function makeData(random: Random): Buffer {
  const address = Buffer.from(randomAddress(random))
  if (random.chance(0.05)) {
    const at = random.below(address.length)
    address[at] = address[at]! | 0x80
  }
  const assetCode = random.chance(0.1) ? random.pick(ODD_ASSET_CODES) : Buffer.from(random.pick(ASSET_CODES))
  const form = () => (random.chance(0.05) ? { longSize: 2 + random.below(7) } : 'canonical')
  return Buffer.concat([
    encodeLength(address.length, form()),
    address,
    random.bytes(1),
    encodeLength(assetCode.length, form()),
    assetCode,
    random.bytes(random.chance(0.1) ? 3 : 0),
  ])
}

/** Why they may take what we refuse. */
function whyWeRefuse(reply: IldcpReply, data: Buffer): Difference | undefined {
  if (reply.address.startsWith('peer.')) return 'peerAddress'
  // What they report is not what the bytes are.
  if (!data.includes(Buffer.from(reply.address, 'latin1'))) return 'addressTopBit'
  const clean = /^[^\p{Cc}\ufffd]+$/u.test(reply.assetCode)
  if (!clean || Buffer.byteLength(reply.assetCode) > 64) return 'assetCode'
  return undefined
}

/** True when one of the two lengths in `data` is longer than needed. */
function hasLongerLength(data: Buffer): boolean {
  const skip = (at: number): { next: number; longer: boolean } => {
    const first = data[at]!
    if (first < 128) return { next: at + 1 + first, longer: false }
    const size = first - 128
    const length = Number.parseInt(data.toString('hex', at + 1, at + 1 + size), 16)
    return { next: at + 1 + size + length, longer: length < 128 || data[at + 1] === 0 }
  }
  const address = skip(0)
  return address.longer || skip(address.next + 1).longer
}

describe('ILDCP against ilp-protocol-ildcp', () => {
  it('writes the same request, and they accept it', () => {
    const random = createRandom('ildcp request')
    const now = Date.now()
    for (let i = 0; i < 200; i++) {
      const expiresAtMs = now + 60_000 + random.below(2 ** 31)
      const request = encodeIldcpRequest(expiresAtMs)
      expect(request).toEqual(serializeIldcpRequest({ expiresAt: new Date(expiresAtMs) }))
      expect(deserializeIldcpRequest(request).expiresAt?.getTime()).toBe(expiresAtMs)
    }
  })

  it('writes the same reply', () => {
    const random = createRandom('ildcp reply')
    for (let i = 0; i < 2_000; i++) {
      const clientAddress = randomAddress(random)
      if (clientAddress.startsWith('peer.')) continue
      const assetScale = random.below(256)
      const assetCode = random.pick(ASSET_CODES)
      const ours = encodeIldcpReply({ address: clientAddress as IlpAddress, assetScale, assetCode })
      expect(encodeFulfill(PEER_PROTOCOL_FULFILLMENT, ours)).toEqual(
        serializeIldcpResponse({ clientAddress, assetScale, assetCode }),
      )
    }
  })

  it('reads replies, whole and damaged, with the same verdict but for the listed differences', () => {
    const random = createRandom('ildcp damaged replies')
    const seen = new Map<Difference, number>()
    let agreed = 0
    for (let i = 0; i < 20_000; i++) {
      const whole = makeData(random)
      const data = random.chance(0.5) ? mutate(whole, random) : whole
      const ours = ourReply(data)
      const theirs = theirReply(data)
      const context = data.toString('hex')
      if (ours !== 'refused' && theirs !== 'refused') {
        expect(ours, context).toEqual(theirs)
        agreed++
      } else if (ours !== 'refused') {
        expect(hasLongerLength(data), context).toBe(true)
        seen.set('longerLength', (seen.get('longerLength') ?? 0) + 1)
      } else if (theirs !== 'refused') {
        const why = whyWeRefuse(theirs, data)
        if (why === undefined) expect.fail(`only we refuse ${context}`)
        seen.set(why, (seen.get(why) ?? 0) + 1)
      }
    }
    expect(agreed).toBeGreaterThan(5_000)
    expect([...seen.keys()].sort()).toEqual(Object.keys(DIFFERENCES).sort())
  })
})
