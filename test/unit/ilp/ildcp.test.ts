import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { IlpAddress } from '../../../src/ilp/address.ts'
import {
  decodeIldcpReply,
  encodeIldcpReply,
  PEER_PROTOCOL_CONDITION,
  PEER_PROTOCOL_FULFILLMENT,
} from '../../../src/ilp/ildcp.ts'
import { DecodeError, OerWriter } from '../../../src/ilp/oer.ts'
import { PING_CONDITION, PING_FULFILLMENT } from '../../../src/ilp/ping.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

const replyData = (address: string | Buffer, assetCode: string | Buffer, assetScale = 9) =>
  new OerWriter()
    .writeVarOctets(Buffer.from(address))
    .writeUInt8(assetScale)
    .writeVarOctets(Buffer.from(assetCode))
    .finish()

describe('conditions of protocols between nodes', () => {
  it('are the hashes of their fulfillments', () => {
    expect(PEER_PROTOCOL_FULFILLMENT).toEqual(Buffer.alloc(32))
    expect(PEER_PROTOCOL_CONDITION.toString('hex')).toBe(sha256(PEER_PROTOCOL_FULFILLMENT))
    expect(PING_FULFILLMENT.toString('ascii')).toBe('pingpingpingpingpingpingpingping')
    expect(PING_CONDITION.toString('hex')).toBe(sha256(PING_FULFILLMENT))
  })
})

describe('ILDCP reply', () => {
  it('comes back as it was encoded', () => {
    const reply = { address: 'g.parent.child' as IlpAddress, assetScale: 255, assetCode: 'XRP' }
    expect(decodeIldcpReply(encodeIldcpReply(reply))).toEqual(reply)
  })

  it('ignores bytes after the last field', () => {
    const data = Buffer.concat([replyData('g.a', 'USD'), Buffer.from('later')])
    expect(decodeIldcpReply(data)).toEqual({ address: 'g.a', assetScale: 9, assetCode: 'USD' })
  })

  it.each([
    ['an empty reply', Buffer.alloc(0), /clientAddress runs past the end/],
    ['a missing asset code', Buffer.from('03672e6109', 'hex'), /assetCode runs past the end/],
    ['an address without segment', replyData('g', 'USD'), /clientAddress is not a valid ILP address/],
    [
      'an address with a byte above 127',
      replyData(Buffer.of(0x67, 0x2e, 0xe1), 'USD'),
      /not a valid ILP address/,
    ],
    ['an address under peer.', replyData('peer.config', 'USD'), /under peer\./],
    ['an empty asset code', replyData('g.a', ''), /1 to 64 bytes/],
    ['an asset code that is too long', replyData('g.a', 'A'.repeat(65)), /at most 64/],
    ['an asset code with a line break', replyData('g.a', 'US\nD'), /control characters/],
    ['an asset code that is no UTF-8', replyData('g.a', Buffer.of(0xff)), /not valid UTF-8/],
  ])('refuses %s', (_what, data, message) => {
    expect(() => decodeIldcpReply(data)).toThrow(message)
    expect(() => decodeIldcpReply(data)).toThrow(DecodeError)
  })

  it.each([
    [{ address: 'peer.a', assetScale: 9, assetCode: 'USD' }, /peer/],
    [{ address: 'g', assetScale: 9, assetCode: 'USD' }, /address/],
    [{ address: 'g.a', assetScale: 256, assetCode: 'USD' }, /256/],
    [{ address: 'g.a', assetScale: 9, assetCode: '' }, /assetCode/],
    [{ address: 'g.a', assetScale: 9, assetCode: '\ud800' }, /UTF-8/],
  ])('is not encoded from %j', (reply, message) => {
    expect(() => encodeIldcpReply({ ...reply, address: reply.address as IlpAddress })).toThrow(message)
  })
})
