import fc from 'fast-check'
import { Predictor, Reader, Writer } from 'oer-utils'
import { describe, expect, it } from 'vitest'
import { toAmount } from '../../../src/ilp/amount.ts'
import { DecodeError, OerReader, OerWriter } from '../../../src/ilp/oer.ts'

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

describe('OerWriter', () => {
  it('writes what oer-utils writes', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.nat(65_535),
        fc.nat(0xffff_ffff),
        uint64,
        fc.uint8Array({ maxLength: 300 }),
        uint64,
        (u8, u16, u32, u64, octets, variable) => {
          const theirs = new Writer()
          theirs.writeUInt8(u8)
          theirs.writeUInt16(u16)
          theirs.writeUInt32(u32)
          theirs.writeUInt64(u64.toString())
          theirs.writeVarOctetString(Buffer.from(octets))
          theirs.writeVarUInt(variable.toString())
          const ours = new OerWriter()
            .writeUInt8(u8)
            .writeUInt16(u16)
            .writeUInt32(u32)
            .writeUInt64(toAmount(u64))
            .writeVarOctets(octets)
            .writeVarUInt(toAmount(variable))
            .finish()
          expect(ours.toString('hex')).toBe(theirs.getBuffer().toString('hex'))
          expect(Predictor.measureVarOctetString(octets.length)).toBeLessThan(ours.length)
        },
      ),
    )
  })

  it.each([-1, 256, 0.5, Number.NaN])('refuses %s as UInt8', (value) => {
    expect(() => new OerWriter().writeUInt8(value)).toThrow(RangeError)
  })

  it.each([-1, 0.5, -1n, 2n ** 64n])('refuses %s as VarUInt', (value) => {
    expect(() => new OerWriter().writeVarUInt(value)).toThrow(RangeError)
  })
})

describe('OerReader', () => {
  it('reads what oer-utils wrote, field by field', () => {
    fc.assert(
      fc.property(uint64, uint64, fc.uint8Array({ maxLength: 300 }), (u64, variable, octets) => {
        const writer = new Writer()
        writer.writeUInt64(u64.toString())
        writer.writeVarUInt(variable.toString())
        writer.writeVarOctetString(Buffer.from(octets))
        writer.writeUInt16(65_534)
        writer.writeUInt32(0xffff_fffe)
        writer.writeUInt8(7)
        const reader = new OerReader(writer.getBuffer())
        expect(reader.readUInt64('a')).toBe(toAmount(u64))
        expect(reader.readVarUInt('b')).toBe(toAmount(variable))
        expect(reader.readVarOctets(300, 'c')).toEqual(Buffer.from(octets))
        expect(reader.readUInt16('d')).toBe(65_534)
        expect(reader.readUInt32('e')).toBe(0xffff_fffe)
        expect(reader.readOctets(1, 'f')).toEqual(Buffer.of(7))
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  it('refuses random bytes exactly where oer-utils does, but for lengths longer than needed', () => {
    const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array))
    const short = fc.tuple(fc.constantFrom(0, 1, 8, 9, 0x80, 0x81, 0x82, 0x87, 0x88), bytes)
    const input = fc.oneof(
      bytes,
      short.map(([first, rest]) => Buffer.concat([Buffer.of(first), rest])),
    )
    const attempt = <T>(read: () => T): T | 'refused' => {
      try {
        return read()
      } catch {
        return 'refused'
      }
    }
    fc.assert(
      fc.property(input, (buffer) => {
        const ours = attempt(() => new OerReader(buffer).readVarUInt('x').toString())
        const theirs = attempt(() => new Reader(buffer).readVarUInt())
        const longForm = buffer.length > 0 && buffer[0]! > 0x7f
        if (longForm && ours !== 'refused') expect(theirs).toBe('refused')
        else expect(ours).toBe(theirs)
      }),
      { numRuns: 5_000 },
    )
  })

  it('stays within the bounds it was given', () => {
    const reader = new OerReader(Buffer.from('0105', 'hex'), 0, 1)
    expect(() => reader.readVarOctets(10, 'address')).toThrow(new DecodeError('address runs past the end'))
    expect(() => new OerReader(Buffer.alloc(2), 0, 3)).toThrow(RangeError)
    expect(() => new OerReader(Buffer.alloc(3)).readUInt32('epoch')).toThrow(/epoch runs past the end/)
  })

  it('says which field is wrong and why', () => {
    const reader = (hex: string) => new OerReader(Buffer.from(hex, 'hex'))
    expect(() => reader('80').readVarOctets(1, 'prefix')).toThrow('the length of prefix is malformed')
    expect(() => reader('03aabbcc').readVarOctets(2, 'prefix')).toThrow('prefix has 3 bytes, at most 2')
    expect(() => reader('00').readVarUInt('count')).toThrow('count is an integer of no bytes')
    expect(() => reader('09010203040506070809').readVarUInt('count')).toThrow('count has 9 bytes, at most 8')
  })

  it('takes a VarUInt with leading zeros', () => {
    expect(new OerReader(Buffer.from('03000001', 'hex')).readVarUInt('count')).toBe(1)
  })
})
