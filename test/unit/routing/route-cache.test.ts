import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RouteCache } from '../../../src/routing/route-cache.ts'
import { RouteTable } from '../../../src/routing/route-table.ts'
import { naiveLookup, segments } from './naive-routes.ts'

function find<T>(cache: RouteCache<T>, address: string): T | undefined {
  const buffer = Buffer.from(`??${address}.??`, 'latin1')
  return cache.find(buffer, 2, address.length)
}

/** A table that counts how often it is asked. */
class CountingTable extends RouteTable<string> {
  lookups = 0
  override lookup(address: string) {
    this.lookups++
    return super.lookup(address)
  }
}

describe('RouteCache', () => {
  it('answers as the table does, first time and again, after every change', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), text: segments(0, 5) }),
      fc.record({ kind: fc.constant('delete' as const), text: segments(0, 5) }),
      fc.record({ kind: fc.constant('find' as const), text: segments(1, 7) }),
    )
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 60 }), (seed, steps) => {
        const table = new RouteTable<string>()
        const cache = new RouteCache(table, seed)
        const model = new Map<string, string>()
        for (const [i, { kind, text }] of steps.entries()) {
          if (kind === 'set') {
            table.set(text, `t${i}`, 'config')
            model.set(text, `t${i}`)
          } else if (kind === 'delete') {
            table.delete(text)
            model.delete(text)
          } else {
            const expected = naiveLookup(model, text)
            expect(find(cache, text)).toBe(expected)
            expect(find(cache, text)).toBe(expected)
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('asks the table once per destination, whatever stands behind the deepest route', () => {
    const table = new CountingTable()
    table.set('g.node.alice', 'alice', 'child')
    const cache = new RouteCache<string>(table, 1)
    for (let i = 0; i < 100; i++) expect(find(cache, `g.node.alice.connection${i}`)).toBe('alice')
    expect(table.lookups).toBe(1)
  })

  it('remembers that there is no route', () => {
    const table = new CountingTable()
    table.set('g.a', 'a', 'config')
    const cache = new RouteCache<string>(table, 1)
    for (let i = 0; i < 5; i++) expect(find(cache, 'g.b')).toBeUndefined()
    expect(table.lookups).toBe(1)
    table.set('g.b', 'b', 'config')
    expect(find(cache, 'g.b')).toBe('b')
  })

  it('answers rightly under a flood that fills every slot several times over', () => {
    const table = new CountingTable()
    table.set('g.good', 'good', 'config')
    table.set('', 'parent', 'default')
    const cache = new RouteCache<string>(table, 99)
    let wrong = 0
    for (let i = 0; i < 300_000; i++) {
      if (find(cache, `g.x${i}`) !== 'parent') wrong++
      if (i % 1000 === 0 && find(cache, 'g.good.bob') !== 'good') wrong++
    }
    expect(wrong).toBe(0)
    expect(table.lookups).toBeLessThanOrEqual(300_000 + 300)
  })

  it('goes to the table for keys too long to keep', () => {
    const table = new CountingTable()
    const account = `g.${'a'.repeat(200)}`
    table.set(account, 'long', 'config')
    const cache = new RouteCache<string>(table, 1)
    expect(find(cache, `${account}.x`)).toBe('long')
    expect(find(cache, `${account}b.x`)).toBeUndefined()
    expect(find(cache, `${account}.x`)).toBe('long')
    expect(table.lookups).toBe(3)
  })

  it('keeps keys of the greatest length apart from one byte more', () => {
    const table = new RouteTable<string>()
    const longest = `g.${'a'.repeat(110)}`
    table.set(longest, 'longest', 'config')
    table.set(`${longest}a`, 'one more', 'config')
    const cache = new RouteCache<string>(table, 1)
    for (let i = 0; i < 2; i++) {
      expect(find(cache, longest)).toBe('longest')
      expect(find(cache, `${longest}.b`)).toBe('longest')
      expect(find(cache, `${longest}a`)).toBe('one more')
    }
  })
})
