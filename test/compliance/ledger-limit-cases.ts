import { expect, it } from 'vitest'
import { ReserveOutcome } from '../../src/ledger/ledger.ts'
import type { LedgerTest } from './ledger-harness.ts'
import { waitFor } from './wait-for.ts'

const { reserved, creditExceeded, payableExceeded } = ReserveOutcome

/** How far a balance may go, either way. */
export function limitCases(test: LedgerTest): void {
  it('lets a peer spend to its credit limit and not one unit further', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 100n }), await test.account('bob')]
    expect((await test.driver.reserve(alice, bob, 101, 101)).outcome).toBe(creditExceeded)
    const slot = await test.driver.mustReserve(alice, bob, 100, 100)
    expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(creditExceeded)
    await test.driver.commit(slot)
    expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(creditExceeded)
    expect(await test.booked('alice')).toBe(-100n)
  })

  it('lets a peer without credit spend only what it has earned', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob', { creditLimit: 0n })]
    expect((await test.driver.reserve(bob, alice, 1, 1)).outcome).toBe(creditExceeded)
    await test.driver.pay(alice, bob, 10, 10)
    expect((await test.driver.reserve(bob, alice, 11, 11)).outcome).toBe(creditExceeded)
    await test.driver.pay(bob, alice, 10, 10)
    expect(await test.booked('bob')).toBe(0n)
  })

  it('gives the room back when a packet is released', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 10n }), await test.account('bob')]
    for (let i = 0; i < 5; i++) {
      const slot = await test.driver.mustReserve(alice, bob, 10, 10)
      test.driver.release(slot)
      await waitFor('the release', () => alice.reserved === 0)
    }
    expect((await test.driver.reserve(alice, bob, 10, 10)).outcome).toBe(reserved)
  })

  it('lets exactly 10 of 1,000 parallel packets through where there is room for 10', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 1_000n }), await test.account('bob')]
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => test.driver.reserve(alice, bob, 100, 100)),
    )
    const through = answers.filter(({ outcome }) => outcome === reserved)
    expect(through).toHaveLength(10)
    expect(answers.filter(({ outcome }) => outcome === creditExceeded)).toHaveLength(990)
    await Promise.all(through.map(({ slot }) => test.driver.commit(slot)))
    expect(await test.booked('alice')).toBe(-1_000n)
    expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(creditExceeded)
  })

  it('lets exactly 10 of 1,000 parallel packets through where we may owe only 10 more', async () => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob', { payableLimit: 1_000n })]
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => test.driver.reserve(alice, bob, 110, 100)),
    )
    const through = answers.filter(({ outcome }) => outcome === reserved)
    expect(through).toHaveLength(10)
    expect(answers.filter(({ outcome }) => outcome === payableExceeded)).toHaveLength(990)
    await Promise.all(through.map(({ slot }) => test.driver.commit(slot)))
    expect(await test.booked('bob')).toBe(1_000n)
    expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(payableExceeded)
    test.ledger.setPayableLimit(bob, undefined)
    expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(reserved)
  })

  it('holds no credit for a packet that the payee may not be owed', async () => {
    const alice = await test.account('alice', { creditLimit: 100n })
    const bob = await test.account('bob', { payableLimit: 10n })
    expect((await test.driver.reserve(alice, bob, 100, 100)).outcome).toBe(payableExceeded)
    await waitFor('the release', () => alice.reserved === 0 && bob.outgoing === 0)
    const carol = await test.account('carol')
    expect((await test.driver.reserve(alice, carol, 100, 100)).outcome).toBe(reserved)
  })

  it('takes a raised credit limit for the next packet', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 10n }), await test.account('bob')]
    expect((await test.driver.reserve(alice, bob, 50, 50)).outcome).toBe(creditExceeded)
    await test.ledger.setCreditLimit(alice, 50n)
    await test.driver.pay(alice, bob, 50, 50)
    expect(BigInt(alice.creditLimit)).toBe(50n)
  })

  it('takes a credit limit lowered below use for new packets, and lets those in flight land', async () => {
    const [alice, bob] = [await test.account('alice', { creditLimit: 100n }), await test.account('bob')]
    await test.driver.pay(alice, bob, 60, 60)
    const inFlight = await test.driver.mustReserve(alice, bob, 30, 30)
    await test.ledger.setCreditLimit(alice, 20n)
    expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(creditExceeded)
    await test.driver.commit(inFlight)
    expect(await test.booked('alice')).toBe(-90n)
    await test.driver.pay(bob, alice, 75, 75)
    expect((await test.driver.reserve(alice, bob, 6, 6)).outcome).toBe(creditExceeded)
    await test.driver.pay(alice, bob, 5, 5)
    expect(await test.booked('alice')).toBe(-20n)
  })

  it('does not count the credit line as balance', async () => {
    const alice = await test.account('alice', { creditLimit: 12_345n })
    expect(await test.booked('alice')).toBe(0n)
    await test.ledger.setCreditLimit(alice, 5n)
    expect(await test.booked('alice')).toBe(0n)
    expect((await test.ledger.balance(alice)).balance).toBe(0n)
  })

  it.each([-1n, 10n ** 39n])('refuses a credit limit of %d', async (limit) => {
    const alice = await test.account('alice', { creditLimit: 7n })
    await expect(test.ledger.setCreditLimit(alice, limit)).rejects.toThrow(/credit limit/)
    expect(BigInt(alice.creditLimit)).toBe(7n)
  })
}
