import { expect, it } from 'vitest'
import type { HistoryEntry } from '../../src/ledger/ledger.ts'
import type { LedgerTest } from './ledger-harness.ts'

const PAGES_MAX = 1_000

/** What can be read back. */
export function historyCases(test: LedgerTest): void {
  async function readAll(accountId: string, pageSize: number): Promise<HistoryEntry[]> {
    const entries: HistoryEntry[] = []
    for (let page = 0; page < PAGES_MAX; page++) {
      const last = entries.at(-1)
      const query = { accountId, limit: pageSize, ...(last && { before: last.cursor }) }
      const next = await test.ledger.history(query)
      if (next.length === 0) return entries
      expect(next.length).toBeLessThanOrEqual(pageSize)
      entries.push(...next)
    }
    throw new Error('history has no end')
  }

  it('explains the balance of every account, newest first, page by page', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 5_000n }), await test.account('bob')]
    for (let i = 1; i <= 12; i++) {
      await test.driver.pay(alice, bob, 10 * i, 9 * i)
      if (i % 4 === 0) await test.driver.pay(bob, alice, i, i)
      if (i % 5 === 0) {
        await test.ledger.settleIn({ id: `in-${i}`, account: alice, engine: 'evm', amount: BigInt(i) })
      }
    }
    await test.ledger.holdSettlement({ id: 'out-1', account: bob, engine: 'evm', amount: 3n })
    await test.ledger.postSettlement('out-1')
    await test.ledger.holdSettlement({ id: 'out-2', account: bob, engine: 'evm', amount: 4n })
    await test.ledger.voidSettlement('out-2')
    await test.ledger.holdSettlement({ id: 'out-3', account: bob, engine: 'evm', amount: 5n })
    for (const id of ['alice', 'bob']) {
      for (const pageSize of [1, 3, 1000]) {
        const entries = await readAll(id, pageSize)
        expect(new Set(entries.map((entry) => entry.id)).size).toBe(entries.length)
        expect(new Set(entries.map((entry) => entry.cursor)).size).toBe(entries.length)
        const times = entries.map(({ timestampMs }) => timestampMs)
        expect(times).toEqual(times.toSorted((a, b) => b - a))
        expect(netOf(entries, id)).toBe(await test.booked(id))
      }
    }
    const toBob = (await readAll('bob', 5)).filter(
      ({ kind, creditAccount }) => kind === 'packets' && creditAccount === 'bob',
    )
    expect(toBob.reduce((sum, { packetCount }) => sum + packetCount, 0)).toBe(12)
    expect(toBob.every(({ debitAccount }) => debitAccount === 'alice')).toBe(true)
    const out = (await readAll('bob', 5)).filter(({ kind }) => kind === 'settlement-out')
    expect(out.map(({ state, amount }) => `${state} ${amount}`)).toEqual([
      'pending 5',
      'voided 4',
      'posted 3',
    ])
  })

  it('tells what a credit line and a loss were for', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 500n }), await test.account('bob')]
    const slot = await test.driver.mustReserve(alice, bob, 50, 50)
    test.ledger.commit(slot)
    test.ledger.abandon(slot)
    await test.driver.untilCommitted(slot)
    await test.driver.pay(alice, bob, 1, 1)
    await test.driver.pay(alice, bob, 1, 1)
    const entries = await readAll('alice', 100)
    const line = entries.find(({ kind }) => kind === 'credit-line')
    expect(line).toMatchObject({ debitAccount: 'line:alice', creditAccount: 'alice', amount: 500n })
    const loss = entries.find(({ kind }) => kind === 'loss')
    expect(loss).toMatchObject({ debitAccount: 'loss:USD:2', creditAccount: 'alice', amount: 50n })
  })

  it('answers an unknown account with nothing', async () => {
    expect(await test.ledger.history({ accountId: 'nobody', limit: 10 })).toEqual([])
  })

  it.each([0, 1001, 1.5])('refuses a page of %d entries', async (limit) => {
    await test.account('alice')
    await expect(test.ledger.history({ accountId: 'alice', limit })).rejects.toThrow(/limit/)
  })

  it('refuses a cursor it never gave', async () => {
    await test.account('alice')
    const query = { accountId: 'alice', limit: 10, before: "1' OR 1=1" }
    await expect(test.ledger.history(query)).rejects.toThrow(/cursor/)
  })
}

/** Credits minus debits of the account, credit lines left out. */
function netOf(entries: HistoryEntry[], id: string): bigint {
  let net = 0n
  for (const { kind, state, amount, debitAccount, creditAccount } of entries) {
    if (kind === 'credit-line' || state !== 'posted') continue
    if (creditAccount === id) net += amount
    if (debitAccount === id) net -= amount
  }
  return net
}
