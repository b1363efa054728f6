import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, type TestContext } from 'vitest'
import { ReserveOutcome } from '../../src/ledger/ledger.ts'
import type { BackendFaults, LedgerTest } from './ledger-harness.ts'
import { waitFor } from './wait-for.ts'

const PROBES_MAX = 200

/** What happens while the backend does not answer, fails, or answers too late. */
export function faultCases(test: LedgerTest): void {
  /** A case that needs the named disturbance; skipped where the backend cannot be disturbed so. */
  function disturbed(
    name: string,
    kind: Exclude<keyof BackendFaults, 'heal'>,
    run: (disturb: () => Promise<void>, heal: () => Promise<void>) => Promise<void>,
  ): void {
    it(name, async (context: TestContext) => {
      const { faults } = test.harness
      const disturb = faults?.[kind]
      if (faults === undefined || disturb === undefined) return context.skip('backend cannot be disturbed so')
      try {
        await run(disturb, () => faults.heal())
      } finally {
        await faults.heal()
        await untilAvailable()
      }
    })
  }

  async function untilAvailable(): Promise<void> {
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      await test.ledger.probe()
      if (test.ledger.available) return
      await delay(20)
    }
    throw new Error('the ledger did not become available again')
  }

  for (const kind of ['hang', 'unreachable'] as const) {
    disturbed(`refuses value and takes packets without value (${kind})`, kind, async (disturb, heal) => {
      const [alice, bob] = [await test.account('alice'), await test.account('bob')]
      await disturb()
      await test.ledger.probe()
      expect(test.ledger.available).toBe(false)
      expect(test.ledger.latencyMs).toBeUndefined()
      expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(ReserveOutcome.unavailable)
      await test.driver.pay(alice, bob, 0, 0)
      await heal()
      await untilAvailable()
      expect(test.ledger.latencyMs).toBeGreaterThanOrEqual(0)
      await test.driver.pay(alice, bob, 7, 7)
      expect(await test.booked('bob')).toBe(7n)
    })
  }

  for (const kind of ['hang', 'unreachable', 'loseAnswers'] as const) {
    disturbed(`books a pending commit once after healing (${kind})`, kind, async (disturb, heal) => {
      const [alice, bob] = [await test.account('alice'), await test.account('bob')]
      const slots: number[] = []
      for (let i = 0; i < 500; i++) slots.push(await test.driver.mustReserve(alice, bob, 10, 9))
      await disturb()
      for (const slot of slots) test.ledger.commit(slot)
      await waitFor('the ledger to notice', () => !test.ledger.available)
      expect(test.driver.committed).toEqual([])
      expect((await test.driver.reserve(alice, bob, 1, 1)).outcome).toBe(ReserveOutcome.unavailable)
      await heal()
      await waitFor('all commits', () => test.driver.committed.length >= slots.length, 20_000)
      await untilAvailable()
      expect(test.driver.committed).toEqual(slots)
      expect(await test.booked('alice')).toBe(-5_000n)
      expect(await test.booked('bob')).toBe(4_500n)
      expect([alice.balance, alice.reserved, bob.outgoing]).toEqual([-5_000, 0, 0])
    })
  }

  disturbed('finishes a batch that was booked in part', 'bookNextBatchPartly', async (disturb) => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const slots: number[] = []
    for (let i = 0; i < 100; i++) slots.push(await test.driver.mustReserve(alice, bob, 10, 9))
    await disturb()
    for (const slot of slots) test.ledger.commit(slot)
    await waitFor('all commits', () => test.driver.committed.length >= slots.length, 20_000)
    expect(test.driver.committed).toEqual(slots)
    expect(await test.booked('alice')).toBe(-1_000n)
    expect(await test.booked('bob')).toBe(900n)
  })

  disturbed('makes good a payer that was told R00 while the ledger hung', 'hang', async (disturb, heal) => {
    const [alice, bob] = [await test.account('alice'), await test.account('bob')]
    const slots: number[] = []
    for (let i = 0; i < 10; i++) slots.push(await test.driver.mustReserve(alice, bob, 10, 9))
    await disturb()
    for (const slot of slots) test.ledger.commit(slot)
    await waitFor('the ledger to notice', () => !test.ledger.available)
    for (const slot of slots.slice(0, 4)) test.ledger.abandon(slot)
    await heal()
    await waitFor('all commits', () => test.driver.committed.length >= slots.length, 20_000)
    await untilAvailable()
    await waitFor('the compensations', () => alice.balance === -60)
    expect(await test.booked('alice')).toBe(-60n)
    expect(await test.booked('bob')).toBe(90n)
    expect(await test.booked('loss:USD:2', 'loss')).toBe(-40n)
  })

  disturbed('counts a receipt once when its answer was lost', 'loseAnswers', async (disturb, heal) => {
    const alice = await test.account('alice')
    const receipt = { id: 'in-1', account: alice, engine: 'evm', amount: 500n }
    await disturb()
    await expect(test.ledger.settleIn(receipt)).rejects.toThrow()
    await heal()
    await untilAvailable()
    await test.ledger.settleIn(receipt)
    await waitFor('the balance', () => alice.balance === 500)
    expect(await test.ledger.settleIn(receipt)).toBe(false)
    expect(alice.balance).toBe(500)
    expect(await test.booked('alice')).toBe(500n)
  })

  disturbed('counts a hold once when its answer was lost', 'loseAnswers', async (disturb, heal) => {
    const alice = await test.account('alice', { creditLimit: 100n })
    const bob = await test.account('bob')
    const entry = { id: 'out-1', account: alice, engine: 'evm', amount: 60n }
    await disturb()
    await expect(test.ledger.holdSettlement(entry)).rejects.toThrow()
    await heal()
    await untilAvailable()
    expect((await test.driver.reserve(alice, bob, 41, 41)).outcome).toBe(ReserveOutcome.creditExceeded)
    await test.ledger.holdSettlement(entry)
    expect((await test.driver.reserve(alice, bob, 41, 41)).outcome).toBe(ReserveOutcome.creditExceeded)
    test.driver.release(await test.driver.mustReserve(alice, bob, 40, 40))
    await disturb()
    await expect(test.ledger.voidSettlement('out-1')).rejects.toThrow()
    await heal()
    await untilAvailable()
    await test.ledger.voidSettlement('out-1')
    await test.driver.pay(alice, bob, 100, 100)
  })

  disturbed(
    'gives back a hold that never arrived once it is voided',
    'unreachable',
    async (disturb, heal) => {
      const alice = await test.account('alice', { creditLimit: 100n })
      const bob = await test.account('bob')
      const entry = { id: 'out-1', account: alice, engine: 'evm', amount: 60n }
      await disturb()
      await expect(test.ledger.holdSettlement(entry)).rejects.toThrow()
      await heal()
      await untilAvailable()
      expect((await test.driver.reserve(alice, bob, 41, 41)).outcome).toBe(ReserveOutcome.creditExceeded)
      await expect(test.ledger.voidSettlement('out-1')).rejects.toThrow(/out-1/)
      await test.driver.pay(alice, bob, 100, 100)
    },
  )

  disturbed('leaves no trace of a settlement that never arrived', 'unreachable', async (disturb, heal) => {
    const alice = await test.account('alice', { creditLimit: 100n })
    const bob = await test.account('bob')
    await disturb()
    const receipt = { id: 'in-1', account: alice, engine: 'evm', amount: 50n }
    await expect(test.ledger.settleIn(receipt)).rejects.toThrow()
    await heal()
    await untilAvailable()
    expect(alice.balance).toBe(0)
    expect(await test.ledger.settleIn(receipt)).toBe(true)
    await test.driver.pay(alice, bob, 150, 150)
    expect(await test.booked('alice')).toBe(-100n)
  })

  disturbed(
    'holds a lowered credit limit though it could not be booked',
    'unreachable',
    async (disturb, heal) => {
      const alice = await test.account('alice', { creditLimit: 100n })
      const bob = await test.account('bob')
      await disturb()
      await expect(test.ledger.setCreditLimit(alice, 10n)).rejects.toThrow()
      await heal()
      await untilAvailable()
      expect((await test.driver.reserve(alice, bob, 11, 11)).outcome).toBe(ReserveOutcome.creditExceeded)
      await test.ledger.setCreditLimit(alice, 20n)
      await test.driver.pay(alice, bob, 20, 20)
    },
  )
}
