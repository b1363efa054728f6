import { statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { SelfCheck } from '../../../../src/ledger/ledger.ts'
import { LedgerFaultError } from '../../../../src/ledger/ledger-store.ts'
import { PAIRS_MAX } from '../../../../src/ledger/sqlite/packet-netting.ts'
import { SqliteBooks } from '../../../../src/ledger/sqlite/sqlite-books.ts'
import { balanceOf, type RecordSpec, recordBatch, USD, useBooks } from './books-scene.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Runs a check to its end; `between` is called after every slice. */
function checked(books: SqliteBooks, between: () => void = () => undefined): SelfCheck {
  const slices = books.selfCheck()
  for (let step = slices.next(); ; step = slices.next()) {
    if (step.done === true) return step.value
    between()
  }
}

describe('journal', () => {
  const scene = useBooks()

  it('books a repeated batch once', () => {
    const books = scene.open()
    books.journal(recordBatch(0, [{}, {}, {}]))
    books.journal(recordBatch(0, [{}, {}, {}]))
    expect(balanceOf(books, 'alice')).toBe(-30n)
    books.journal(recordBatch(0, [{}, {}, {}]))
    expect(balanceOf(books, 'bob')).toBe(27n)
  })

  it('refuses a repeated key with other contents, and a batch that overlaps another', () => {
    const books = scene.open()
    books.journal(recordBatch(0, [{}, {}]))
    expect(() => books.journal(recordBatch(0, [{}, { in: 11n }]))).toThrow(/other contents/)
    expect(() => books.journal(recordBatch(1, [{}, {}]))).toThrow(/overlaps/)
    expect(balanceOf(books, 'alice')).toBe(-20n)
  })

  it('refuses a batch that names an account which is not open', () => {
    const books = scene.open()
    expect(() => books.journal(recordBatch(0, [{ payee: 9 }]))).toThrow(/not open/)
    books.journal(recordBatch(0, [{}]))
    expect(balanceOf(books, 'alice')).toBe(-10n)
  })

  it('takes a rising epoch with every start', () => {
    const first = scene.open()
    first.close()
    const second = scene.open()
    expect(second.epoch).toBe(first.epoch + 1)
    second.journal(recordBatch(0, [{}]))
    second.close()
    const third = scene.open()
    third.journal(recordBatch(0, [{ in: 5n, out: 5n }]))
    expect(balanceOf(third, 'alice')).toBe(-15n)
  })

  it('posts at the next start what a crash left in the journal, once', () => {
    const first = scene.open()
    first.journal(recordBatch(0, [{ in: 2n ** 64n - 1n, out: 2n ** 64n - 1n }, {}]))
    first.journal(recordBatch(2, [{ payee: 2, in: 7n, out: 7_000n }]))
    // Closed without posting, as a crash would.
    first.close()
    for (let start = 0; start < 3; start++) {
      const books = scene.open()
      expect(balanceOf(books, 'alice')).toBe(-(2n ** 64n - 1n) - 17n)
      expect(balanceOf(books, 'xena')).toBe(7_000n)
      books.close()
    }
  })

  it('nets packets of one pair into one transfer, and keeps the packets apart in the journal', () => {
    const books = scene.open()
    books.journal(recordBatch(0, [{}, { payer: 1, payee: 0, in: 4n, out: 4n }, {}]))
    books.journal(recordBatch(3, [{}, { kind: 1, payee: 0, in: 10n, out: 0n }]))
    const history = books.history({ accountId: 'alice', limit: 100 })
    const shown = history.map(({ kind, debitAccount, creditAccount, amount, packetCount }) =>
      [kind, debitAccount, creditAccount, amount, packetCount].join(' '),
    )
    expect(shown.toSorted()).toEqual([
      'loss loss:USD:2 alice 10 0',
      'packets alice bob 27 3',
      'packets alice revenue:USD:2 3 3',
      'packets bob alice 4 1',
    ])
    books.close()
    const rows = new DatabaseSync(scene.path).prepare('SELECT count FROM batches').all()
    expect(rows.map(({ count }) => count)).toEqual([3, 2])
  })

  it('deletes packet detail once it is old enough and posted, and never the sums', () => {
    const books = scene.open(2)
    for (let i = 0; i < 4; i++) books.journal(recordBatch(i, [{}], i * DAY_MS))
    expect(books.purge(4 * DAY_MS)).toBe(false)
    books.post()
    books.purge(4 * DAY_MS)
    books.close()
    const db = new DatabaseSync(scene.path)
    expect(db.prepare('SELECT id % (1 << 42) AS at FROM batches').all()).toEqual([{ at: 3 }])
    db.close()
    expect(balanceOf(scene.open(), 'alice')).toBe(-40n)
  })

  it('accepts the repeat of a batch whose detail is gone', () => {
    const books = scene.open(0)
    books.journal(recordBatch(0, [{}]))
    books.post()
    books.purge(DAY_MS)
    books.journal(recordBatch(0, [{}]))
    expect(balanceOf(books, 'alice')).toBe(-10n)
  })
})

describe('a busy journal', () => {
  const scene = useBooks()
  const BATCH = 2_000

  it('sums by account where very many pairs meet, to the same balances and with fewer transfers', () => {
    const books = scene.open()
    const accounts = 150
    for (let i = 3; i < accounts; i++) {
      const asset = i % 2 === 0 ? {} : { assetCode: 'XRP', assetScale: 6 }
      books.openAccount({ ...USD, ...asset, id: `peer${i}` }, i, 1)
    }
    const pairs: RecordSpec[] = []
    for (let payer = 3; payer < accounts; payer++) {
      for (let payee = 3; payee < accounts; payee++) pairs.push({ payer, payee, in: 5n, out: 4n })
    }
    for (let at = 0; at < pairs.length; at += BATCH) {
      books.journal(recordBatch(at, pairs.slice(at, at + BATCH)))
    }
    expect(books.shouldPost).toBe(false)
    const each = BigInt(accounts - 3)
    for (const id of ['peer3', 'peer78', `peer${accounts - 1}`]) expect(balanceOf(books, id)).toBe(-each)
    const even = 73n
    const odd = 74n
    expect(balanceOf(books, 'revenue:USD:2', 'revenue')).toBe(even * even)
    expect(balanceOf(books, 'revenue:XRP:6', 'revenue')).toBe(odd * odd)
    expect(balanceOf(books, 'fx:USD:2', 'fx')).toBe(even * odd)
    for (const asset of ['USD:2', 'XRP:6']) expect(balanceOf(books, `transit:${asset}`, 'transit')).toBe(0n)
    expect(checked(books).balanced).toBe(true)
    books.close()
    const db = new DatabaseSync(scene.path)
    const { rows } = db.prepare('SELECT count(*) AS rows FROM transfers WHERE kind = 0').get()!
    db.close()
    expect(Number(rows)).toBeLessThan(PAIRS_MAX + 6 * accounts)
  })

  it('posts by itself before too many packets wait', () => {
    const books = scene.open()
    const records = Array.from({ length: BATCH }, () => ({}))
    let posted = 0
    for (let batch = 0; batch < 550; batch++) {
      books.journal(recordBatch(batch * BATCH, records))
      if (books.shouldPost) posted++
    }
    expect(posted).toBe(1)
    expect(balanceOf(books, 'bob')).toBe(550n * BigInt(BATCH) * 9n)
  })

  it('keeps the write-ahead log small', () => {
    const books = scene.open()
    const records = Array.from({ length: BATCH }, () => ({}))
    for (let batch = 0; batch < 300; batch++) {
      books.journal(recordBatch(batch * BATCH, records))
      books.checkpointWhenDue()
    }
    expect(statSync(`${scene.path}-wal`).size).toBeLessThan(8 * 1024 * 1024)
    expect(balanceOf(books, 'bob')).toBe(300n * BigInt(BATCH) * 9n)
  })
})

describe('credit line', () => {
  const scene = useBooks()

  it('is a transfer of its own, and no part of the balance', () => {
    const books = scene.open()
    books.setCreditLimit(0, 500n, 2)
    const line = books.balances().find(({ kind, id }) => kind === 'line' && id === 'alice')
    expect(line).toMatchObject({ debitsPosted: 500n, balance: -500n })
    const clearing = books.balances().find(({ kind, id }) => kind === 'clearing' && id === 'alice')
    expect(clearing).toMatchObject({ creditsPosted: 500n, balance: 0n })
  })

  it('gives back only what is not used, and the rest at the next opening', () => {
    const books = scene.open()
    const extended = (): bigint => -(balanceOf(books, 'alice', 'line') ?? 0n)
    books.setCreditLimit(0, 500n, 2)
    books.journal(recordBatch(0, [{ in: 450n, out: 450n }]))
    books.setCreditLimit(0, 100n, 3)
    expect(extended()).toBe(450n)
    expect(books.openAccount({ ...USD, id: 'alice' }, 0, 4)).toEqual({
      balance: -450n,
      held: 0n,
      creditLimit: 100n,
    })
    books.journal(recordBatch(1, [{ payer: 1, payee: 0, in: 450n, out: 450n }]))
    books.openAccount({ ...USD, id: 'alice' }, 0, 5)
    expect(extended()).toBe(100n)
    expect(balanceOf(books, 'alice')).toBe(0n)
  })
})

describe('self-check', () => {
  const scene = useBooks()

  function filled(): SqliteBooks {
    const books = scene.open()
    books.journal(recordBatch(0, [{}, { payee: 2 }, { in: 2n ** 63n, out: 2n ** 60n }]))
    const entry = { id: 's1', index: 1, engine: 'evm', amount: 2n ** 70n, timestampMs: 5 }
    books.settle('in', entry)
    books.settle('out', { ...entry, id: 's2', amount: 3n })
    books.settle('out', { ...entry, id: 's3', amount: 4n })
    books.resolveSettlement('s3', 'posted')
    return books
  }

  it('finds sound books balanced, with amounts beyond 2^64', () => {
    const check = checked(filled())
    expect(check.balanced).toBe(true)
    expect(check.assets.map(({ assetCode }) => assetCode)).toEqual(['USD', 'XRP'])
    for (const { debits, credits } of check.assets) expect(debits).toBe(credits)
  })

  it.each([
    "UPDATE accounts SET credits_posted = '1' WHERE name = 'bob' AND kind = 'clearing'",
    "UPDATE accounts SET debits_pending = '0', credits_pending = '0'",
    'UPDATE transfers SET amount = amount + 1 WHERE id = 1',
    'DELETE FROM transfers WHERE kind = 1',
    'UPDATE transfers SET debit = credit, credit = debit WHERE kind = 0',
    'UPDATE transfers SET state = 0 WHERE state = 1',
    "DELETE FROM accounts WHERE kind = 'fx'",
  ])('finds books out of balance after: %s', (tampering) => {
    filled().close()
    const db = new DatabaseSync(scene.path)
    db.exec(tampering)
    db.close()
    const books = new SqliteBooks({ path: scene.path, packetDetailDays: 1, lockWaitMs: 10 })
    try {
      expect(checked(books).balanced).toBe(false)
    } finally {
      books.close()
    }
  })

  it('is not confused by what is booked while it reads', () => {
    const books = filled()
    let sequence = 3
    const check = checked(books, () => {
      books.journal(recordBatch(sequence++, [{}]))
      books.resolveSettlement('s2', 'voided')
      books.settle('out', { id: `n${sequence}`, index: 1, engine: 'evm', amount: 1n, timestampMs: 6 })
    })
    expect(sequence).toBeGreaterThan(3)
    expect(check.balanced).toBe(true)
    expect(checked(books).balanced).toBe(true)
  })
})

describe('opening', () => {
  const scene = useBooks()

  it('refuses a file of a newer program', () => {
    const db = new DatabaseSync(scene.path)
    db.exec('PRAGMA user_version = 999')
    db.close()
    expect(() => scene.open()).toThrow(/newer/)
  })

  it('refuses a file that is no ledger', () => {
    writeFileSync(scene.path, 'this is a letter to my bank, not a ledger'.repeat(200))
    expect(() => scene.open()).toThrow(LedgerFaultError)
  })

  it('refuses an index that belongs to another account, and one id with two assets', () => {
    const books = scene.open()
    expect(() => books.openAccount({ ...USD, id: 'carol' }, 0, 1)).toThrow(/alice/)
    expect(() => books.openAccount({ ...USD, id: 'alice', assetScale: 3 }, 0, 1)).toThrow(/another asset/)
    expect(balanceOf(books, 'carol')).toBeUndefined()
  })

  it('never lets time go back in the history', () => {
    const books = scene.open()
    const entry = { index: 0, engine: 'evm', amount: 1n }
    books.settle('in', { ...entry, id: 'a', timestampMs: 9_000 })
    books.settle('in', { ...entry, id: 'b', timestampMs: 4_000 })
    const times = books.history({ accountId: 'alice', limit: 10 }).map(({ timestampMs }) => timestampMs)
    expect(times).toEqual([9_000, 9_000])
  })

  it('numbers transfers on after a change that was rolled back', () => {
    const books = scene.open()
    const entry = { index: 0, engine: 'evm', amount: 1n, timestampMs: 1 }
    books.settle('in', { ...entry, id: 'a' })
    expect(() => books.settle('out', { ...entry, id: 'a' })).toThrow(/used before/)
    books.settle('in', { ...entry, id: 'b' })
    expect(books.history({ accountId: 'alice', limit: 10 }).map(({ id }) => id)).toEqual(['2', '1'])
  })
})
