import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readTimestamp, TIMESTAMP_MAX_MS, writeTimestamp } from '../../../src/ilp/timestamp.ts'

const read = (text: string) => readTimestamp(Buffer.from(`x${text}x`, 'latin1'), 1)
const written = (timeMs: number) => {
  const bytes = Buffer.alloc(19, 0x78)
  writeTimestamp(bytes, 1, timeMs)
  expect(bytes[0]).toBe(0x78)
  expect(bytes[18]).toBe(0x78)
  return bytes.toString('latin1', 1, 18)
}
const digitsOf = (timeMs: number) => new Date(timeMs).toISOString().replace(/[-T:.Z]/g, '')
const anyTime = fc.integer({ min: 0, max: TIMESTAMP_MAX_MS })

describe('writeTimestamp', () => {
  it('writes the digits of any moment from 1970 to 9999', () => {
    fc.assert(
      fc.property(anyTime, (timeMs) => written(timeMs) === digitsOf(timeMs)),
      { numRuns: 3_000 },
    )
  })

  it('writes every day of four centuries', () => {
    for (let day = 0; day < 146_097; day += 1) {
      const timeMs = day * 86_400_000 + 86_399_999
      if (written(timeMs) !== digitsOf(timeMs)) expect.fail(`day ${day}`)
    }
  })

  it('writes moments in any order, whatever it wrote last', () => {
    const base = Date.UTC(2024, 1, 28, 23, 59, 59, 998)
    for (const step of [0, 1, 2, 1, 0, 1000, 1002, 86_400_000, 3, -1000]) {
      expect(written(base + step)).toBe(digitsOf(base + step))
    }
  })

  it.each([-1, 0.5, Number.NaN, TIMESTAMP_MAX_MS + 1, Number.POSITIVE_INFINITY])('refuses %s', (timeMs) => {
    const bytes = Buffer.alloc(17)
    expect(() => writeTimestamp(bytes, 0, timeMs)).toThrow(/no Interledger time/)
    expect(bytes).toEqual(Buffer.alloc(17))
  })

  it('reaches the last moment of the year 9999', () => {
    expect(written(TIMESTAMP_MAX_MS)).toBe('99991231235959999')
  })
})

describe('readTimestamp', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(anyTime, (timeMs) => read(written(timeMs)) === timeMs),
      { numRuns: 3_000 },
    )
  })

  it('reads years before 1970 and before 100 as they stand', () => {
    expect(read('19691231235959999')).toBe(-1)
    expect(read('00000101000000000')).toBe(Date.parse('0000-01-01T00:00:00.000Z'))
    expect(read('00420615120000000')).toBe(Date.parse('0042-06-15T12:00:00.000Z'))
  })

  it.each([
    ['20240229000000000', true],
    ['20230229000000000', false],
    ['20000229000000000', true],
    ['21000229000000000', false],
    ['20240431000000000', false],
    ['20240430000000000', true],
    ['20240100000000000', false],
    ['20240132000000000', false],
    ['20240001000000000', false],
    ['20241301000000000', false],
    ['20240101240000000', false],
    ['20240101235900000', true],
    ['20240101236000000', false],
    ['20240101235960000', false],
    ['20240101235959999', true],
    ['20240101290000000', false],
    ['20240101990000000', false],
  ])('%s is a moment: %s', (text, valid) => {
    expect(Number.isNaN(read(text))).toBe(!valid)
  })

  it('refuses a byte that is no digit at each of the 17 places', () => {
    for (let at = 0; at < 17; at++) {
      for (const byte of [0x00, 0x20, 0x2b, 0x2f, 0x3a, 0x61, 0xb0, 0xff]) {
        const bytes = Buffer.from('20240101111111111')
        bytes[at] = byte
        expect(Number.isNaN(readTimestamp(bytes, 0)), `byte ${byte} at ${at}`).toBe(true)
      }
    }
  })

  it('does not let a day that it refused be taken later', () => {
    expect(read('20230228000000000')).toBe(Date.UTC(2023, 1, 28))
    expect(read('20230229000000000')).toBeNaN()
    expect(read('20230229000000000')).toBeNaN()
    expect(read('20230228000000001')).toBe(Date.UTC(2023, 1, 28) + 1)
  })
})
