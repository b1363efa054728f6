import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type PlannedSettlement, SettlementStateError } from '../../../src/settlement/outgoing-journal.ts'
import { isFinal, mayFollow, OUTGOING_STATES } from '../../../src/settlement/outgoing-state.ts'
import { SettlementIds } from '../../../src/settlement/settlement-ids.ts'
import { SettlementJournal } from '../../../src/settlement/settlement-journal.ts'
import { Store } from '../../../src/store/store.ts'
import { FakeClock } from './settlement-rig.ts'

describe('the journal of settlements', () => {
  const clock = new FakeClock()
  const ids = new SettlementIds(clock)
  let store: Store
  let journal: SettlementJournal

  beforeEach(() => {
    store = new Store(':memory:')
    store.start()
    journal = new SettlementJournal({ store, clock })
  })

  afterEach(() => {
    store.stop()
  })

  function planned(): PlannedSettlement {
    return {
      id: ids.next(),
      accountId: 'alice',
      engine: 'evm',
      assetCode: 'USD',
      assetScale: 2,
      amount: 100n,
      quantity: { amount: 100n * 10n ** 16n, scale: 18 },
      cause: 'threshold',
    }
  }

  it('lets a settlement go only where its state leads', () => {
    for (const from of OUTGOING_STATES) {
      for (const to of OUTGOING_STATES) {
        const settlement = planned()
        journal.outgoing.plan([settlement])
        store.database.prepare('UPDATE settlements_out SET state = ? WHERE id = ?').run(from, settlement.id)
        if (from === to) expect(journal.outgoing.advance(settlement.id, to)).toBe(false)
        else if (mayFollow(from, to)) expect(journal.outgoing.advance(settlement.id, to)).toBe(true)
        else expect(() => journal.outgoing.advance(settlement.id, to)).toThrow(SettlementStateError)
      }
    }
  })

  it('has no way from an end, and one to an end from everywhere', () => {
    for (const state of OUTGOING_STATES) {
      const next = OUTGOING_STATES.filter((to) => mayFollow(state, to))
      expect(next.length === 0).toBe(isFinal(state))
    }
    expect(OUTGOING_STATES.filter(isFinal)).toEqual(['settled', 'refused'])
  })

  it('writes all orders of a plan or none', () => {
    const first = planned()
    journal.outgoing.plan([first])
    expect(() => journal.outgoing.plan([planned(), first])).toThrow()
    expect(journal.outgoing.open('alice').map(({ id }) => id)).toEqual([first.id])
  })

  it('refuses what it does not know', () => {
    expect(() => journal.outgoing.advance('unheard-of', 'held')).toThrow(SettlementStateError)
  })

  it('makes ids that rise and never repeat, with a clock that stands or goes back', () => {
    const made = Array.from({ length: 10_000 }, (_, count) => {
      if (count === 9_000) clock.nowMs -= 60_000
      return ids.next()
    })
    expect(new Set(made).size).toBe(10_000)
    expect([...made].sort()).toEqual(made)
    expect(made[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})
