import { expect, it } from 'vitest'
import { type LedgerAccount, ReserveOutcome } from '../../src/ledger/ledger.ts'
import { outsideSums } from '../../src/settlement/outside-history.ts'
import type { LedgerTest } from './ledger-harness.ts'
import { waitFor } from './wait-for.ts'

/** Money that moves outside ILP. */
export function settlementCases(test: LedgerTest): void {
  /** Bob, whom we owe 100. */
  async function owed(): Promise<{ alice: LedgerAccount; bob: LedgerAccount }> {
    const alice = await test.account('alice')
    const bob = await test.account('bob', { creditLimit: 0n })
    await test.driver.pay(alice, bob, 100, 100)
    return { alice, bob }
  }

  it('credits money received, and lets it be spent', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 0n }), await test.account('bob')]
    expect(await test.ledger.settleIn({ id: 'in-1', account: alice, engine: 'evm', amount: 500n })).toBe(true)
    expect(await test.booked('alice')).toBe(500n)
    expect(alice.balance).toBe(500)
    expect(await test.booked('settlement:USD:2:evm', 'settlement')).toBe(-500n)
    await test.driver.pay(alice, bob, 500, 500)
  })

  it('credits the same receipt once', async () => {
    const alice = await test.account('alice')
    const receipt = { id: 'in-1', account: alice, engine: 'evm', amount: 500n }
    const answers = await Promise.all([1, 2, 3].map(() => test.ledger.settleIn(receipt)))
    expect(answers.filter((isNew) => isNew)).toHaveLength(1)
    expect(await test.ledger.settleIn(receipt)).toBe(false)
    expect(await test.booked('alice')).toBe(500n)
    expect(alice.balance).toBe(500)
  })

  it('refuses a receipt whose id was used with other fields', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const receipt = { id: 'in-1', account: alice, engine: 'evm', amount: 500n }
    await test.ledger.settleIn(receipt)
    await expect(test.ledger.settleIn({ ...receipt, amount: 501n })).rejects.toThrow(/in-1/)
    await expect(test.ledger.settleIn({ ...receipt, account: bob })).rejects.toThrow(/in-1/)
    await expect(test.ledger.settleIn({ ...receipt, engine: 'xrp' })).rejects.toThrow(/in-1/)
    expect(await test.booked('alice')).toBe(500n)
    expect(test.ledger.available).toBe(true)
  })

  it('holds an outgoing settlement so that it cannot be spent', async () => {
    const { alice, bob } = await owed()
    await test.ledger.holdSettlement({ id: 'out-1', account: bob, engine: 'evm', amount: 80n })
    expect((await test.driver.reserve(bob, alice, 21, 21)).outcome).toBe(ReserveOutcome.creditExceeded)
    await test.driver.pay(bob, alice, 20, 20)
    const balance = await test.ledger.balance(bob)
    expect(balance.balance).toBe(80n)
    expect(balance.debitsPending).toBe(80n)
  })

  it('does not hold what is being spent, and takes the same settlement once there is room', async () => {
    const { alice, bob } = await owed()
    const entry = { id: 'out-1', account: bob, engine: 'evm', amount: 80n }
    const slot = await test.driver.mustReserve(bob, alice, 21, 21)
    await expect(test.ledger.holdSettlement(entry)).rejects.toThrow(/nothing is held/)
    expect(test.ledger.available).toBe(true)
    expect((await test.ledger.balance(bob)).debitsPending).toBeLessThan(80n)
    test.driver.release(slot)
    await waitFor('the release', () => bob.reserved === 0)
    await test.ledger.holdSettlement(entry)
    // It stands in the balance already: repeated, it needs no room.
    await test.ledger.holdSettlement(entry)
    expect((await test.ledger.balance(bob)).debitsPending).toBe(80n)
    await expect(test.ledger.holdSettlement({ ...entry, id: 'out-2', amount: 21n })).rejects.toThrow(/out-2/)
    await test.ledger.setCreditLimit(bob, 1n)
    await test.ledger.holdSettlement({ ...entry, id: 'out-3', amount: 21n })
  })

  it('tells the same of one account as of all, with a credit line and an amount held', async () => {
    const { alice, bob } = await owed()
    await test.ledger.setCreditLimit(bob, 70n)
    await test.ledger.holdSettlement({ id: 'out-1', account: bob, engine: 'evm', amount: 30n })
    const all = await test.ledger.balances()
    for (const account of [alice, bob]) {
      const found = all.find(({ id, kind }) => id === account.id && kind === 'clearing')
      expect(await test.ledger.balance(account)).toEqual(found)
    }
  })

  it('shows what went outside in both directions, by account and by engine', async () => {
    const { alice, bob } = await owed()
    for (const id of ['posted', 'voided', 'held']) {
      const amount = { posted: 10n, voided: 20n, held: 40n }[id]!
      await test.ledger.holdSettlement({ id, account: bob, engine: 'evm', amount })
    }
    await test.ledger.postSettlement('posted')
    await test.ledger.voidSettlement('voided')
    await test.ledger.settleIn({ id: 'in', account: alice, engine: 'evm', amount: 300n })
    await test.ledger.settleIn({ id: 'other', account: alice, engine: 'xrp', amount: 1n })
    const outside = (await test.ledger.balances()).find(({ id }) => id === 'settlement:USD:2:evm')
    expect(outside).toMatchObject({ creditsPosted: 10n, creditsPending: 40n, debitsPosted: 300n })
    const asset = { assetCode: 'USD', assetScale: 2 }
    const sums = await outsideSums(test.ledger, { ...asset, engine: 'evm' })
    expect(sums.toSorted((a, b) => (a.accountId < b.accountId ? -1 : 1))).toEqual([
      { accountId: 'alice', paid: 0n, held: 0n, received: 300n },
      { accountId: 'bob', paid: 10n, held: 40n, received: 0n },
    ])
    expect(await outsideSums(test.ledger, { ...asset, engine: 'none' })).toEqual([])
  })

  it('posts a held settlement once', async () => {
    const { alice, bob } = await owed()
    await test.ledger.holdSettlement({ id: 'out-1', account: bob, engine: 'evm', amount: 80n })
    await test.ledger.postSettlement('out-1')
    await test.ledger.postSettlement('out-1')
    expect(await test.booked('bob')).toBe(20n)
    expect(bob.balance).toBe(20)
    expect(await test.booked('settlement:USD:2:evm', 'settlement')).toBe(80n)
    expect((await test.ledger.balance(bob)).debitsPending).toBe(0n)
    expect((await test.driver.reserve(bob, alice, 21, 21)).outcome).toBe(ReserveOutcome.creditExceeded)
    await test.driver.pay(bob, alice, 20, 20)
  })

  it('voids a held settlement once, and the amount can be spent again', async () => {
    const { alice, bob } = await owed()
    await test.ledger.holdSettlement({ id: 'out-1', account: bob, engine: 'evm', amount: 80n })
    await test.ledger.voidSettlement('out-1')
    await test.ledger.voidSettlement('out-1')
    expect((await test.ledger.balance(bob)).debitsPending).toBe(0n)
    await test.driver.pay(bob, alice, 100, 100)
    expect(await test.booked('bob')).toBe(0n)
  })

  it('refuses to post what was voided and to void what was posted', async () => {
    const { bob } = await owed()
    await test.ledger.holdSettlement({ id: 'out-1', account: bob, engine: 'evm', amount: 30n })
    await test.ledger.voidSettlement('out-1')
    await expect(test.ledger.postSettlement('out-1')).rejects.toThrow(/out-1/)
    await test.ledger.holdSettlement({ id: 'out-2', account: bob, engine: 'evm', amount: 30n })
    await test.ledger.postSettlement('out-2')
    await expect(test.ledger.voidSettlement('out-2')).rejects.toThrow(/out-2/)
    expect(await test.booked('bob')).toBe(70n)
    expect(test.ledger.available).toBe(true)
  })

  it('refuses to resolve a settlement that was never held', async () => {
    await owed()
    await expect(test.ledger.postSettlement('nobody')).rejects.toThrow(/nobody/)
    await expect(test.ledger.voidSettlement('nobody')).rejects.toThrow(/nobody/)
  })

  it('holds the same settlement once, and refuses its id with other fields', async () => {
    const { alice, bob } = await owed()
    const entry = { id: 'out-1', account: bob, engine: 'evm', amount: 40n }
    await Promise.all([test.ledger.holdSettlement(entry), test.ledger.holdSettlement(entry)])
    await test.ledger.holdSettlement(entry)
    await expect(test.ledger.holdSettlement({ ...entry, amount: 41n })).rejects.toThrow(/out-1/)
    await expect(test.ledger.holdSettlement({ ...entry, account: alice })).rejects.toThrow(/out-1/)
    expect((await test.ledger.balance(bob)).debitsPending).toBe(40n)
    expect((await test.driver.reserve(bob, alice, 61, 61)).outcome).toBe(ReserveOutcome.creditExceeded)
    await test.driver.pay(bob, alice, 60, 60)
  })

  it('does not hold again what was resolved', async () => {
    const { alice, bob } = await owed()
    const entry = { id: 'out-1', account: bob, engine: 'evm', amount: 40n }
    await test.ledger.holdSettlement(entry)
    await test.ledger.postSettlement('out-1')
    await test.ledger.holdSettlement(entry)
    expect((await test.ledger.balance(bob)).debitsPending).toBe(0n)
    expect(await test.booked('bob')).toBe(60n)
    await test.driver.pay(bob, alice, 60, 60)
  })

  it('keeps holds, their ids and receipts over a restart', async () => {
    const { bob } = await owed()
    const entry = { id: 'out-1', account: bob, engine: 'evm', amount: 80n }
    const receipt = { id: 'in-1', account: bob, engine: 'evm', amount: 5n }
    await test.ledger.holdSettlement(entry)
    await test.ledger.settleIn(receipt)
    await test.ledger.stop()
    await test.reopen()
    const alice = await test.account('alice')
    const again = await test.account('bob', { creditLimit: 0n })
    await test.ledger.holdSettlement({ ...entry, account: again })
    expect(await test.ledger.settleIn({ ...receipt, account: again })).toBe(false)
    expect((await test.driver.reserve(again, alice, 26, 26)).outcome).toBe(ReserveOutcome.creditExceeded)
    await test.ledger.postSettlement('out-1')
    expect(again.balance).toBe(25)
    await test.driver.pay(again, alice, 25, 25)
  })

  it.each(['post', 'void'] as const)(
    'carries out a %s of an account that nobody has opened since',
    async (how) => {
      const { bob } = await owed()
      await test.ledger.holdSettlement({ id: 'out-1', account: bob, engine: 'evm', amount: 80n })
      await test.ledger.stop()
      await test.reopen()
      const resolve = () =>
        how === 'post' ? test.ledger.postSettlement('out-1') : test.ledger.voidSettlement('out-1')
      await resolve()
      await resolve()
      expect(test.ledger.available).toBe(true)
      const again = await test.account('bob', { creditLimit: 0n })
      expect(again.balance).toBe(how === 'post' ? 20 : 100)
      expect((await test.ledger.balance(again)).debitsPending).toBe(0n)
    },
  )

  it('settles amounts beyond 2^64 exactly', async () => {
    const alice = await test.account('alice')
    const amount = 2n ** 80n + 1n
    await test.ledger.settleIn({ id: 'in-1', account: alice, engine: 'evm', amount })
    await test.ledger.holdSettlement({ id: 'out-1', account: alice, engine: 'evm', amount: amount - 1n })
    await test.ledger.postSettlement('out-1')
    expect(await test.booked('alice')).toBe(1n)
    expect(alice.balance).toBe(1)
  })

  it.each([0n, -5n])('refuses a settlement of %d', async (amount) => {
    const alice = await test.account('alice')
    const entry = { id: 'bad', account: alice, engine: 'evm', amount }
    await expect(test.ledger.settleIn(entry)).rejects.toThrow(/amount/)
    await expect(test.ledger.holdSettlement(entry)).rejects.toThrow(/amount/)
  })

  it('refuses a settlement id that is empty or too long', async () => {
    const alice = await test.account('alice')
    for (const id of ['', 'x'.repeat(129)]) {
      await expect(test.ledger.settleIn({ id, account: alice, engine: 'evm', amount: 1n })).rejects.toThrow(
        /id/,
      )
    }
  })
}
