import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { namedAccounts, readName } from '../../../src/ledger/tigerbeetle/named-accounts.ts'

describe('named accounts', () => {
  it('carry any name that an account can have', () => {
    const character = fc.constantFrom(...'ABCXYZabcxyz0189_~.-')
    const name = fc.string({ unit: character, minLength: 1, maxLength: 128 })
    fc.assert(
      fc.property(name, (text) => {
        const [head, ...others] = namedAccounts(8n, text, { ledger: 1, code: 1, flags: 2 })
        expect(others.length).toBe(Math.ceil(text.length / 28) - 1)
        expect(others.every(({ flags, code }) => flags === 0 && code !== 1)).toBe(true)
        expect(readName(head!, new Map(others.map((account) => [account.id, account])))).toBe(text)
      }),
    )
  })

  it('refuse a name that does not fit', () => {
    expect(() => namedAccounts(8n, 'x'.repeat(141), { ledger: 1, code: 1 })).toThrow(/name/)
  })
})
