import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seedLedger } from '../../../bench/seed-ledger.ts'
import { seedRoutes } from '../../../bench/seed-routes.ts'
import { SqliteBooks } from '../../../src/ledger/sqlite/sqlite-books.ts'
import { PeerStore } from '../../../src/store/peer-store.ts'
import { Store } from '../../../src/store/store.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-seed-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

describe('a past written for the bench', () => {
  it('has a transfer for each packet, and books that agree with themselves', () => {
    const path = join(directory, 'ledger.sqlite')
    const packets = 40_000
    seedLedger({ path, packets, asset: { code: 'USD', scale: 9 }, accountIds: ['payer0', 'payee0'] })
    const db = new DatabaseSync(path)
    const transfers = db.prepare(
      'SELECT count(*) AS rows, sum(packet_count) AS packets FROM transfers WHERE kind = 0',
    )
    expect({ ...transfers.get() }).toEqual({ rows: packets, packets })
    expect(Number(db.prepare('SELECT sum(count) AS packets FROM batches').get()?.packets)).toBe(packets)
    db.close()
    const books = new SqliteBooks({ path, packetDetailDays: 30, lockWaitMs: 1_000 })
    try {
      const check = books.selfCheck()
      let step = check.next()
      while (step.done !== true) step = check.next()
      expect(step.value.balanced).toBe(true)
      expect(books.history({ accountId: 'payer0', limit: 10 })).toHaveLength(10)
    } finally {
      books.close()
    }
  })

  it('has the routes as if an operator had set them', () => {
    const path = join(directory, 'node.sqlite')
    seedRoutes({ path, prefixes: ['g.a', 'g.b.c'], peerId: 'bob' })
    const store = new Store(path)
    store.start()
    const routes = new PeerStore(store, Buffer.alloc(32)).routes()
    store.stop()
    expect(routes).toEqual([
      { prefix: 'g.a', peerId: 'bob' },
      { prefix: 'g.b.c', peerId: 'bob' },
    ])
  })
})
