import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MessageRefusedError } from '../../../src/settlement/engine.ts'
import { readRefusalText, writeRefusalText } from '../../../src/settlement/refusal-text.ts'

describe('the text of a refusal', () => {
  it('gives back the code that was written, whatever the message says', () => {
    const code = fc.stringMatching(/^[a-z][a-z0-9-]{0,63}$/)
    fc.assert(
      fc.property(code, fc.string(), (written, message) => {
        expect(readRefusalText(writeRefusalText(new MessageRefusedError(written, message)))).toBe(written)
      }),
    )
  })

  it('has no code when it does not begin with one', () => {
    for (const text of [
      '',
      'no settlement here',
      'stale',
      'stale:',
      'Stale: no',
      `${'a'.repeat(65)}: no`,
      ' a: b',
    ])
      expect(readRefusalText(text)).toBeUndefined()
  })

  it('is not written for what is no code', () => {
    for (const code of ['', 'Stale', 'a b', '1a', 'a'.repeat(65)])
      expect(() => writeRefusalText({ code, message: 'no' })).toThrow(/refusal code/)
  })
})
