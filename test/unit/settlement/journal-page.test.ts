import type { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { journalPage, type PageBounds } from '../../../src/settlement/journal-page.ts'
import { Store } from '../../../src/store/store.ts'

let store: Store

beforeEach(() => {
  store = new Store(':memory:')
  store.start()
})

afterEach(() => {
  store.stop()
})

/** How the rows are found. */
function plan(table: 'settlements_out' | 'settlement_credits', bounds: Partial<PageBounds>): string {
  const { database } = store
  const explain = { prepare: (sql: string) => database.prepare(`EXPLAIN QUERY PLAN ${sql}`) }
  const whole = { accountId: undefined, before: undefined, limit: 10, ...bounds }
  const rows = journalPage(explain as unknown as DatabaseSync, table, whole)
  return rows.map(({ detail }) => String(detail)).join('; ')
}

it.each(['settlements_out', 'settlement_credits'] as const)(
  'a page of %s is read off an index, whatever is asked for, and never sorted',
  (table) => {
    const state = 'held'
    const accountId = 'alice'
    for (const before of [undefined, 7]) {
      expect(plan(table, { before })).toMatch(/^SEARCH .*\(sequence<\?\)$/)
      expect(plan(table, { before, accountId })).toMatch(/^SEARCH .*\(account_id=\? AND sequence<\?\)$/)
      expect(plan(table, { before, state })).toMatch(/^SEARCH .*\(state=\? AND sequence<\?\)$/)
      expect(plan(table, { before, accountId, state })).toMatch(
        /^SEARCH .*\(account_id=\? AND state=\? AND sequence<\?\)$/,
      )
    }
  },
)
