import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fulfillmentMatches, sha256OneBlock } from '../../../src/ilp/sha256.ts'

const reference = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

function digest(buffer: Buffer, offset: number): string {
  const words = new Uint32Array(8)
  sha256OneBlock(buffer, offset, words)
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join('')
}

describe('sha256OneBlock', () => {
  it.each([0x00, 0x01, 0x7f, 0x80, 0xff])('hashes 32 bytes of %s as node:crypto does', (byte) => {
    const input = Buffer.alloc(32, byte)
    expect(digest(input, 0)).toBe(reference(input).toString('hex'))
  })

  it('hashes any 32 bytes at any offset as node:crypto does', () => {
    const bytes = randomBytes(4096 + 32)
    for (let offset = 0; offset < 4096; offset++) {
      const expected = reference(bytes.subarray(offset, offset + 32)).toString('hex')
      if (digest(bytes, offset) !== expected) expect.fail(bytes.toString('hex', offset, offset + 32))
    }
  })
})

describe('fulfillmentMatches', () => {
  const fulfillment = randomBytes(32)
  const packet = Buffer.concat([Buffer.from('ab'), fulfillment, Buffer.from('c')])
  const condition = Buffer.concat([Buffer.from('z'), reference(fulfillment)])

  it('accepts the preimage of the condition', () => {
    expect(fulfillmentMatches(packet, 2, condition, 1)).toBe(true)
  })

  it('refuses a condition or fulfillment that is off by any single bit', () => {
    for (let bit = 0; bit < 256; bit++) {
      const wrongCondition = Buffer.from(condition)
      wrongCondition[1 + (bit >> 3)]! ^= 1 << (bit & 7)
      expect(fulfillmentMatches(packet, 2, wrongCondition, 1)).toBe(false)
      const wrongFulfillment = Buffer.from(packet)
      wrongFulfillment[2 + (bit >> 3)]! ^= 1 << (bit & 7)
      expect(fulfillmentMatches(wrongFulfillment, 2, condition, 1)).toBe(false)
    }
  })
})
