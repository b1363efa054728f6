import { describe, expect, it } from 'vitest'
import {
  isAddress,
  isAddressAt,
  isPeerAddressAt,
  isPrefix,
  isUnder,
  schemeOf,
} from '../../../src/ilp/address.ts'

const VALID = [
  'g.a',
  'g.acme.bob',
  'private.x',
  'example.alice',
  'peer.config',
  'peer.route.control',
  'self.a',
  'test.a',
  'test1.a',
  'test2.a',
  'test3.a',
  'local.a',
  'g.us-fed.ach.0.acmebank.swx0a0.acmecorp.sales.199.~ipr.cdfa5e16-e759-4ba3-88f6-8b9dc83c1868.2',
  'g.UPPER_lower~tilde-hyphen.0',
  `g.${'a'.repeat(1021)}`,
]
const INVALID = [
  '',
  'g',
  'g.',
  '.g',
  'g..a',
  'g.a.',
  'g.a..b',
  '.',
  'G.a',
  'h.a',
  'test4.a',
  'test0.a',
  'test11.a',
  'tes.a',
  'testa',
  'test1',
  'peers.a',
  'privat.a',
  'examples.a',
  'loca.a',
  'selfie.a',
  'g.a b',
  'g.a\n',
  'g.ä',
  'g.a/b',
  'g.a:b',
  'g.\u0000',
  `g.${'a'.repeat(1022)}`,
]

const onBytes = (text: string) => {
  const bytes = Buffer.from(`..${text}a.`, 'utf8')
  return isAddressAt(bytes, 2, bytes.length - 4)
}

describe('isAddress', () => {
  it.each(VALID)('takes %s, as text and in place', (text) => {
    expect(isAddress(text)).toBe(true)
    expect(onBytes(text)).toBe(true)
  })

  it.each(INVALID)('refuses %j, as text and in place', (text) => {
    expect(isAddress(text)).toBe(false)
    expect(onBytes(text)).toBe(false)
  })

  it('looks at every byte value in place as the text form does', () => {
    for (let byte = 0; byte < 256; byte++) {
      const bytes = Buffer.from(`g.a${String.fromCharCode(byte)}a`, 'latin1')
      expect(isAddressAt(bytes, 0, bytes.length), `byte ${byte}`).toBe(isAddress(bytes.toString('latin1')))
    }
  })

  it('does not look past the given length', () => {
    expect(isAddressAt(Buffer.from('test1.a'), 0, 5)).toBe(false)
    expect(isAddressAt(Buffer.from('test.a'), 0, 4)).toBe(false)
    expect(isAddressAt(Buffer.from('g.a'), 0, 1)).toBe(false)
    expect(isAddressAt(Buffer.from('g.a'), 0, 2)).toBe(false)
    expect(isAddressAt(Buffer.from('g.a'), 0, 0)).toBe(false)
  })
})

describe('isPrefix', () => {
  it.each(['', 'g', 'test1', 'private', 'g.a', 'g.a.b', 'peer'])('takes %j', (text) => {
    expect(isPrefix(text)).toBe(true)
  })

  it.each(['.', 'g.', 'g.a.', 'x', 'test4', 'g..a', ' g', `g.${'a'.repeat(1022)}`])('refuses %j', (text) => {
    expect(isPrefix(text)).toBe(false)
  })
})

describe('isUnder', () => {
  it.each([
    ['g.a', 'g.a', true],
    ['g.a', 'g.a.b', true],
    ['g', 'g.a', true],
    ['', 'g.a', true],
    ['g.a', 'g.ab', false],
    ['g.a', 'g.b.a', false],
    ['g.a.b', 'g.a', false],
    ['test', 'test1.a', false],
    ['g.A', 'g.a', false],
  ])('%j covers %j: %s', (prefix, address, covered) => {
    expect(isUnder(prefix, address)).toBe(covered)
  })
})

describe('schemeOf', () => {
  it('is the first segment', () => {
    expect(schemeOf('g.a.b')).toBe('g')
    expect(schemeOf('test1')).toBe('test1')
  })
})

describe('isPeerAddressAt', () => {
  it('tells packets that are never forwarded', () => {
    const bytes = Buffer.from('xpeer.config')
    expect(isPeerAddressAt(bytes, 1, 11)).toBe(true)
    expect(isPeerAddressAt(bytes, 1, 4)).toBe(false)
    expect(isPeerAddressAt(Buffer.from('peers.a'), 0, 7)).toBe(false)
  })
})
