import { expect, it } from 'vitest'
import type { LedgerAccount } from '../../src/ledger/ledger.ts'
import type { LedgerTest } from './ledger-harness.ts'
import { waitFor } from './wait-for.ts'

/** What packets do to the books. */
export function packetCases(test: LedgerTest): void {
  it('opens an account once and finds it again', async () => {
    const first = await test.account('alice')
    const again = await test.account('alice')
    expect(again.index).toBe(first.index)
    expect((await test.account('bob')).index).not.toBe(first.index)
    expect(await test.booked('alice')).toBe(0n)
  })

  it('refuses to open an account that holds another asset', async () => {
    await test.account('alice')
    await expect(test.account('alice', { assetScale: 9 })).rejects.toThrow(/alice/)
    await expect(test.account('alice', { assetCode: 'EUR' })).rejects.toThrow(/alice/)
  })

  it('moves the payer down, the payee up and the spread to revenue', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    await test.driver.pay(alice, bob, 1000, 990)
    expect(await test.booked('alice')).toBe(-1000n)
    expect(await test.booked('bob')).toBe(990n)
    expect(await test.booked('revenue:USD:2', 'revenue')).toBe(10n)
    expect([alice.balance, bob.balance]).toEqual([-1000, 990])
    expect([alice.reserved, bob.outgoing]).toEqual([0, 0])
  })

  it('books two assets through their FX accounts', async () => {
    const alice = await test.account('alice')
    const xena = await test.account('xena', { assetCode: 'XRP', assetScale: 6 })
    await test.driver.pay(alice, xena, 100, 2_000_000)
    expect(await test.booked('alice')).toBe(-100n)
    expect(await test.booked('xena')).toBe(2_000_000n)
    expect(await test.booked('fx:USD:2', 'fx')).toBe(100n)
    expect(await test.booked('fx:XRP:6', 'fx')).toBe(-2_000_000n)
  })

  it('treats one currency at two scales as two assets', async () => {
    const alice = await test.account('alice')
    const nina = await test.account('nina', { assetScale: 9 })
    await test.driver.pay(alice, nina, 1, 10_000_000)
    expect(await test.booked('nina')).toBe(10_000_000n)
    expect(await test.booked('fx:USD:2', 'fx')).toBe(1n)
    expect(await test.booked('fx:USD:9', 'fx')).toBe(-10_000_000n)
  })

  it('shows a packet in flight as reserved and outgoing, and nothing of it after a release', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const slot = await test.driver.mustReserve(alice, bob, 70, 60)
    expect([alice.reserved, bob.outgoing]).toEqual([70, 60])
    test.driver.release(slot)
    await waitFor('the release', () => alice.reserved === 0 && bob.outgoing === 0)
    expect([alice.balance, bob.balance]).toEqual([0, 0])
    expect(await test.booked('alice')).toBe(0n)
  })

  it('takes packets without value, and books nothing for them', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 0n }), await test.account('bob')]
    await test.driver.pay(alice, bob, 0, 0)
    test.driver.release(await test.driver.mustReserve(alice, bob, 0, 0))
    expect(await test.booked('alice')).toBe(0n)
    const history = await test.ledger.history({ accountId: 'bob', limit: 10 })
    expect(history.filter(({ kind }) => kind === 'packets')).toEqual([])
  })

  it('reflects a packet to its own account', async () => {
    const alice = await test.account('alice', { creditLimit: 100n })
    await test.driver.pay(alice, alice, 100, 90)
    expect(await test.booked('alice')).toBe(-10n)
    expect(alice.balance).toBe(-10)
  })

  it('announces every commit exactly once', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const slots = []
    for (let i = 0; i < 300; i++) slots.push(await test.driver.mustReserve(alice, bob, 1, 1))
    for (const slot of slots) test.ledger.commit(slot)
    await waitFor('all commits', () => test.driver.committed.length >= slots.length)
    expect(test.driver.committed.toSorted((a, b) => a - b)).toEqual(slots.toSorted((a, b) => a - b))
    expect(await test.booked('bob')).toBe(300n)
  })

  it('books a packet once when its slot is committed twice', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const slot = await test.driver.mustReserve(alice, bob, 5, 5)
    test.ledger.commit(slot)
    tryTo(() => test.ledger.commit(slot))
    await test.driver.untilCommitted(slot)
    await test.driver.pay(alice, bob, 100, 100)
    expect(await test.booked('bob')).toBe(105n)
  })

  it('books nothing when a released slot is committed late', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const slot = await test.driver.mustReserve(alice, bob, 5, 5)
    test.ledger.release(slot)
    tryTo(() => test.ledger.commit(slot))
    await test.driver.pay(alice, bob, 100, 100)
    expect(await test.booked('bob')).toBe(100n)
    expect(await test.booked('alice')).toBe(-100n)
  })

  it('makes the payer good out of loss when its packet is abandoned, and lets the payee keep it', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const slot = await test.driver.mustReserve(alice, bob, 50, 45)
    test.ledger.commit(slot)
    test.ledger.abandon(slot)
    await test.driver.untilCommitted(slot)
    await waitFor('the compensation', () => alice.balance === 0)
    expect(await test.booked('alice')).toBe(0n)
    expect(await test.booked('bob')).toBe(45n)
    expect(await test.booked('loss:USD:2', 'loss')).toBe(-50n)
    expect(await test.booked('revenue:USD:2', 'revenue')).toBe(5n)
  })

  const borders = [2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]
  it.each(borders)('is exact for an amount of %d', async (amount) => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const exact = amount < 2n ** 53n ? Number(amount) : amount
    await test.driver.pay(alice, bob, exact, exact)
    expect(await test.booked('alice')).toBe(-amount)
    expect(await test.booked('bob')).toBe(amount)
    expect(BigInt(bob.balance)).toBe(amount)
    await test.driver.pay(bob, alice, exact, exact)
    expect(await test.booked('bob')).toBe(0n)
    expect(bob.balance).toBe(0)
  })

  it('keeps balances exact beyond 2^64', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const most = 2n ** 64n - 1n
    for (let i = 0; i < 5; i++) await test.driver.pay(alice, bob, most, most - 1n)
    expect(await test.booked('alice')).toBe(-5n * most)
    expect(await test.booked('bob')).toBe(5n * (most - 1n))
    expect(BigInt(bob.balance)).toBe(5n * (most - 1n))
    expect(await test.booked('revenue:USD:2', 'revenue')).toBe(5n)
  })

  it('is exact where many small packets carry a sum across 2^53', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const half = 2 ** 52
    const slots = await reserveMany(test, alice, bob, [half, half, 1, half, half, 1])
    for (const slot of slots) test.ledger.commit(slot)
    await waitFor('all commits', () => test.driver.committed.length >= slots.length)
    expect(await test.booked('bob')).toBe(2n ** 54n + 2n)
    expect(BigInt(bob.balance)).toBe(2n ** 54n + 2n)
    expect(BigInt(alice.balance)).toBe(-(2n ** 54n) - 2n)
  })
}

/** What a caller's mistake may do is throw, or nothing. */
function tryTo(mistake: () => void): void {
  try {
    mistake()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
  }
}

async function reserveMany(
  test: LedgerTest,
  payer: LedgerAccount,
  payee: LedgerAccount,
  amounts: number[],
): Promise<number[]> {
  const slots = []
  for (const amount of amounts) slots.push(await test.driver.mustReserve(payer, payee, amount, amount))
  return slots
}
