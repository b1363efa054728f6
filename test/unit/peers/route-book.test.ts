import { beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../../src/forwarding/account.ts'
import { RouteBook } from '../../../src/peers/route-book.ts'
import { RouteTable } from '../../../src/routing/route-table.ts'

/** The book reads only these fields of an account. */
const account = (id: string, relation: string, addressSegment?: string) =>
  ({ id, relation, addressSegment }) as unknown as Account

describe('RouteBook', () => {
  const self = account('self', 'local')
  const parent = account('parent', 'parent')
  const child = account('child', 'child', 'kid')
  const peer = account('peer', 'peer')
  let table: RouteTable<Account>
  let book: RouteBook
  const way = (address: string) => table.lookup(address)?.target.id

  beforeEach(() => {
    table = new RouteTable()
    book = new RouteBook({ table, self })
    for (const each of [parent, child, peer]) book.addAccount(each)
    book.setOwnAddress('g.node')
  })

  it('leads to children below our address, to ourselves, and everything else to the parent', () => {
    expect(['g.node.kid.x', 'g.node', 'g.node.nobody', 'g.far'].map(way)).toEqual([
      'child',
      'self',
      'self',
      'parent',
    ])
  })

  it('keeps packets of other networks in, unless an operator says otherwise', () => {
    expect(way('test.somebody')).toBe('self')
    book.put('test.lab', peer, 'config')
    expect([way('test.lab.a'), way('test.b')]).toEqual(['peer', 'self'])
  })

  it('moves everything below us when our address changes', () => {
    book.setOwnAddress('test.other')
    expect(['test.other.kid', 'g.node.kid', 'test.far'].map(way)).toEqual(['child', 'self', 'parent'])
    book.setOwnAddress(undefined)
    expect(['test.other.kid', 'g.far'].map(way)).toEqual(['parent', 'parent'])
  })

  it("lets an operator's route win over a derived one and gives the derived one back", () => {
    book.put('g.node.kid', peer, 'admin')
    expect(way('g.node.kid')).toBe('peer')
    expect(book.list().filter((route) => route.prefix === 'g.node.kid')).toHaveLength(1)
    expect(book.remove('g.node.kid')).toBe(true)
    expect(way('g.node.kid')).toBe('child')
    expect(book.remove('g.node.kid')).toBe(false)
  })

  it('takes every route to an account out with it', () => {
    book.put('g.a', peer, 'config')
    book.put('', peer, 'admin')
    book.removeAccount(peer)
    book.removeAccount(child)
    expect(['g.a', 'g.node.kid'].map(way)).toEqual(['parent', 'self'])
  })
})
