import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { SettlementRig, TestBooks } from './settlement-rig.ts'

const SECOND_MS = 1_000
const YEAR_MS = 31_536_000_000

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount

beforeAll(async () => {
  books = await TestBooks.open()
})

afterAll(async () => {
  await books.close()
})

beforeEach(async () => {
  account = await books.account(9, 1_000n)
  rig = new SettlementRig(books, { name: books.unique('node') })
  rig.clock.nowMs += YEAR_MS
})

afterEach(async () => {
  await rig.stop()
})

const states = () =>
  rig.journal.outgoing.page({ accountId: account.id, before: undefined, limit: 10 }).map(({ state }) => state)

describe('a clock that was a year ahead and is set right', () => {
  it('does not keep an order from being handed over', async () => {
    rig.engine.answers.push('unavailable')
    await rig.start([{ account }])
    expect(states()).toEqual(['held'])
    rig.clock.nowMs -= YEAR_MS
    for (let second = 0; second < 5; second++) await rig.pass(SECOND_MS)
    expect(states()).toEqual(['handed-over'])
  })

  it('does not keep what is owed from being settled when the interval has passed', async () => {
    await rig.start([{ account, terms: { threshold: 9_000n, intervalMs: 10 * SECOND_MS } }])
    rig.clock.nowMs -= YEAR_MS
    for (let second = 0; second < 20; second++) await rig.pass(SECOND_MS)
    expect(states()).toEqual(['handed-over'])
  })
})
