import { describe, expect, it } from 'vitest'
import { nearestKey } from '../../../src/config/nearest-key.ts'

describe('the key that was meant', () => {
  it.each([
    ['prot', ['host', 'port', 'keys'], 'port'],
    ['ilpAddres', ['id', 'ilpAddress'], 'ilpAddress'],
    ['CREDITLIMIT', ['creditLimit', 'payableLimit'], 'creditLimit'],
    ['nod', ['node', 'peers'], 'node'],
    ['xyzzy', ['node', 'peers'], undefined],
    ['a'.repeat(1000), ['a'], undefined],
    ['', ['a'], 'a'],
  ])('of %s among %o is %s', (given, known, meant) => {
    expect(nearestKey(given, known)).toBe(meant)
  })
})
