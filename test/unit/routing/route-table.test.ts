import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RouteTable } from '../../../src/routing/route-table.ts'
import { naiveLookup, segments } from './naive-routes.ts'

describe('RouteTable', () => {
  it('takes the longest prefix of whole segments', () => {
    const table = new RouteTable<string>()
    table.set('g', 'global', 'config')
    table.set('g.a', 'a', 'config')
    table.set('g.a.b', 'b', 'config')
    expect(table.lookup('g.a.b.c')?.target).toBe('b')
    expect(table.lookup('g.a.b')?.target).toBe('b')
    expect(table.lookup('g.a.x')?.target).toBe('a')
    expect(table.lookup('g.z')?.target).toBe('global')
    expect(table.lookup('test.a')).toBeUndefined()
  })

  it('does not take a prefix that ends inside a segment', () => {
    const table = new RouteTable<string>()
    table.set('g.a', 'a', 'config')
    expect(table.lookup('g.ab')).toBeUndefined()
    expect(table.lookup('g.ab.c')).toBeUndefined()
    expect(table.lookup('g')).toBeUndefined()
    expect(table.lookup('g.a-')).toBeUndefined()
    expect(table.lookup('G.a')).toBeUndefined()
  })

  it('falls back to the default route and only then to none', () => {
    const table = new RouteTable<string>()
    expect(table.lookup('g.a')).toBeUndefined()
    table.set('', 'parent', 'default')
    table.set('g.a', 'a', 'config')
    expect(table.lookup('g.b')).toEqual({ prefix: '', target: 'parent', source: 'default' })
    expect(table.lookup('g.a.b')?.target).toBe('a')
    table.delete('')
    expect(table.lookup('g.b')).toBeUndefined()
  })

  it('replaces, deletes and lists routes, and counts a version for each change only', () => {
    const table = new RouteTable<string>()
    table.set('g.a', 'one', 'config')
    table.set('g.a', 'two', 'admin')
    expect(table.size).toBe(1)
    expect(table.list()).toEqual([{ prefix: 'g.a', target: 'two', source: 'admin' }])
    expect(table.version).toBe(2)
    expect(table.delete('g.b')).toBe(false)
    expect(table.version).toBe(2)
    expect(table.delete('g.a')).toBe(true)
    expect(table.version).toBe(3)
    expect(table.get('g.a')).toBeUndefined()
    expect(table.depthMax).toBe(0)
  })

  it('refuses a prefix with an empty segment and changes nothing', () => {
    const table = new RouteTable<string>()
    for (const prefix of ['.', 'g.', '.g', 'g..a', `g.${'a'.repeat(1022)}`]) {
      expect(() => table.set(prefix, 'x', 'config')).toThrow()
    }
    expect(table.size).toBe(0)
    expect(table.version).toBe(0)
  })

  it('answers as a plain search over all routes does, through any order of changes', () => {
    const change = fc.record({ prefix: segments(0, 5), isRemoval: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.array(segments(1, 7)), (changes, addresses) => {
        const table = new RouteTable<string>()
        const model = new Map<string, string>()
        for (const [i, { prefix, isRemoval }] of changes.entries()) {
          if (isRemoval) {
            expect(table.delete(prefix)).toBe(model.delete(prefix))
          } else {
            table.set(prefix, `t${i}`, 'config')
            model.set(prefix, `t${i}`)
          }
        }
        expect(table.size).toBe(model.size)
        for (const address of addresses) {
          expect(table.lookup(address)?.target).toBe(naiveLookup(model, address))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('finds among 100,000 routes and through 511 segments', () => {
    const table = new RouteTable<number>()
    for (let i = 0; i < 100_000; i++) table.set(`g.r${i % 100}.n${i}`, i, 'config')
    const deep = `g${'.a'.repeat(511)}`
    table.set(deep, -1, 'config')
    expect(table.lookup('g.r7.n907.x.y')?.target).toBe(907)
    expect(table.lookup('g.r7.n908')).toBeUndefined()
    expect(table.lookup(deep)?.target).toBe(-1)
    expect(table.lookup(`g${'.a'.repeat(510)}`)).toBeUndefined()
  })
})
