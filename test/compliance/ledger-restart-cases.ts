import { expect, it } from 'vitest'
import { ReserveOutcome } from '../../src/ledger/ledger.ts'
import { expectBalanced, type LedgerTest } from './ledger-harness.ts'

/** What is left after a stop and after a crash. */
export function restartCases(test: LedgerTest): void {
  it('keeps balances over a clean restart', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    await test.driver.pay(alice, bob, 1000, 990)
    await test.ledger.stop()
    await test.reopen()
    expect((await test.account('bob')).balance).toBe(990)
    expect((await test.account('alice')).balance).toBe(-1000)
    expect(await test.booked('bob')).toBe(990n)
  })

  it('books what was committed before a stop', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    for (let i = 0; i < 50; i++) test.ledger.commit(await test.driver.mustReserve(alice, bob, 2, 1))
    await test.ledger.stop()
    expect(test.driver.committed).toHaveLength(50)
    await test.reopen()
    await test.account('alice')
    expect((await test.account('bob')).balance).toBe(50)
    expect(await test.booked('alice')).toBe(-100n)
  })

  it('can be stopped twice', async () => {
    await Promise.all([test.ledger.stop(), test.ledger.stop()])
    await test.ledger.stop()
    await test.reopen()
  })

  it('takes no value once stopped', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    await test.ledger.stop()
    expect(test.ledger.available).toBe(false)
    expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(ReserveOutcome.unavailable)
    await test.reopen()
  })

  it('keeps every packet that was told as committed when the process crashes', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    for (let i = 0; i < 20; i++) await test.driver.pay(alice, bob, 3, 2)
    await test.harness.crash(test.ledger)
    await test.reopen()
    await test.account('alice')
    expect((await test.account('bob')).balance).toBe(40)
    expect(await test.booked('alice')).toBe(-60n)
    expect(await test.booked('revenue:USD:2', 'revenue')).toBe(20n)
  })

  it('books each packet whole or not at all when the process crashes while committing', async () => {
    const specs = { assetCode: 'XRP', assetScale: 6 }
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const xena = await test.account('xena', specs)
    for (let i = 0; i < 60; i++) {
      test.ledger.commit(await test.driver.mustReserve(alice, i % 2 === 0 ? bob : xena, 10, 7))
    }
    await test.harness.crash(test.ledger)
    const told = test.driver.committed.length
    await test.reopen()
    const paid = -(await test.booked('alice'))
    const earned = (await test.booked('bob')) + (await test.booked('xena'))
    expect(paid % 10n).toBe(0n)
    expect(earned).toBe((paid / 10n) * 7n)
    expect(Number(paid / 10n)).toBeGreaterThanOrEqual(told)
    expect(Number(paid / 10n)).toBeLessThanOrEqual(60)
  })

  it('reserves nothing after a crash with packets in flight', async (context) => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 100n }), await test.account('bob')]
    for (let i = 0; i < 10; i++) await test.driver.mustReserve(alice, bob, 10, 10)
    await test.harness.crash(test.ledger)
    await test.reopen()
    const again = await test.account('alice', { creditLimit: 100n })
    const bobAgain = await test.account('bob')
    expect(await test.booked('alice')).toBe(0n)
    if (test.harness.reservationsOutliveCrash)
      return context.skip('pending transfers of a dead process outlive it here')
    expect([again.reserved, bobAgain.outgoing]).toEqual([0, 0])
    await test.driver.pay(again, bobAgain, 100, 100)
  })

  it('never tells a packet of the time before the crash', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    test.ledger.commit(await test.driver.mustReserve(alice, bob, 1, 1))
    await test.harness.crash(test.ledger)
    const before = test.driver.committed.length
    const old = test.driver
    await test.reopen()
    const [alice2, bob2] = [await test.account('alice'), await test.account('bob')]
    await test.driver.pay(alice2, bob2, 10, 10)
    expect(old.committed.length).toBe(before)
    expect(test.driver.committed).toHaveLength(1)
  })

  it('survives many restarts without a change', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    await test.driver.pay(alice, bob, 5, 4)
    for (let i = 0; i < 5; i++) {
      if (i % 2 === 0) await test.ledger.stop()
      else await test.harness.crash(test.ledger)
      await test.reopen()
      await expectBalanced(test.ledger)
    }
    expect(await test.booked('bob')).toBe(4n)
  })

  it('applies the credit limit that the account is opened with', async () => {
    await test.account('alice', { creditLimit: 50n })
    await test.ledger.stop()
    await test.reopen()
    const alice = await test.account('alice', { creditLimit: 10n })
    const bob = await test.account('bob')
    expect((await test.driver.reserve(alice, bob, 11, 11)).outcome).toBe(ReserveOutcome.creditExceeded)
    await test.driver.pay(alice, bob, 10, 10)
  })

  it('keeps a second process off its books, or shares them', async () => {
    await test.account('alice')
    if (test.harness.second === 'refused') {
      await expect(test.harness.open()).rejects.toThrow(/another process/)
      return
    }
    const second = await test.harness.open()
    await second.stop()
  })
}
