import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { truncateUtf8 } from '../../../src/ilp/truncate-utf8.ts'

describe('truncateUtf8', () => {
  it('returns a text that fits as it is', () => {
    expect(truncateUtf8('größe', 7)).toBe('größe')
    expect(truncateUtf8('', 0)).toBe('')
  })

  it.each([
    ['aäb', 2, 'a'],
    ['aäb', 3, 'aä'],
    ['€€', 5, '€'],
    ['x\u{1f600}', 4, 'x'],
    ['x\u{1f600}', 5, 'x\u{1f600}'],
    ['\u{1f600}', 3, ''],
  ])('cuts %j to %s bytes between characters: %j', (text, bytesMax, expected) => {
    expect(truncateUtf8(text, bytesMax)).toBe(expected)
  })

  it('gives the longest whole-character beginning within the bound', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer({ min: 0, max: 60 }),
        (text, bytesMax) => {
          const cut = truncateUtf8(text, bytesMax)
          expect(text.startsWith(cut)).toBe(true)
          expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytesMax)
          const next = String.fromCodePoint(
            ...[...text.slice(cut.length)].slice(0, 1).map((c) => c.codePointAt(0)!),
          )
          if (next !== '') expect(Buffer.byteLength(cut + next)).toBeGreaterThan(bytesMax)
        },
      ),
    )
  })
})
