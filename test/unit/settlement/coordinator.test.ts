import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { LedgerAccount, SettlementEntry } from '../../../src/ledger/ledger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../../../src/ledger/ledger-store.ts'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import type { OutgoingSettlement } from '../../../src/settlement/outgoing-journal.ts'
import type { SettlementLedger } from '../../../src/settlement/settlement-ledger.ts'
import { SettlementRefusal } from '../../../src/settlement/settlement-refusal.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'
import { FakeClock, SettlementRig, type TERMS, TestBooks } from './settlement-rig.ts'

const HOUR_MS = 3_600_000

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount

beforeAll(async () => {
  books = await TestBooks.open()
})

afterAll(async () => {
  await books.close()
})

beforeEach(() => {
  rig = new SettlementRig(books, { name: books.unique('node'), handOverDeadlineMs: 50 })
})

afterEach(async () => {
  await rig.stop()
})

async function owing(balance: bigint, terms: Partial<typeof TERMS> = {}, scale = 9): Promise<void> {
  account = await books.account(scale, balance)
  await rig.start([{ account, terms }])
}

function orders(): OutgoingSettlement[] {
  return rig.journal.outgoing.page({ accountId: account.id, before: undefined, limit: 100 }).reverse()
}

async function owe(amount: bigint): Promise<void> {
  await books.owe(account, amount)
  rig.coordinator.balanceChanged(account.id)
  await rig.run()
}

describe('the threshold', () => {
  it('settles down to settleTo when it is reached', async () => {
    await owing(1_000n)
    expect(orders().map(({ amount, state }) => [amount, state])).toEqual([[900n, 'handed-over']])
    expect((await books.booked(account)).debitsPending).toBe(900n)
    await rig.engine.carryOut()
    await rig.run()
    expect(orders()[0]?.state).toBe('settled')
    const { balance, debitsPending } = await books.booked(account)
    expect([balance, debitsPending]).toEqual([100n, 0n])
    expect(rig.metrics.settledAmounts).toEqual([900n])
  })

  it('settles nothing below it', async () => {
    await owing(999n)
    expect(orders()).toEqual([])
    await owe(1n)
    expect(orders()).toHaveLength(1)
  })

  it('settles only what orders under way do not cover', async () => {
    await owing(1_000n)
    await owe(500n)
    expect(orders()).toHaveLength(1)
    await owe(400n)
    expect(orders().map(({ amount }) => amount)).toEqual([900n, 900n])
    await rig.engine.carryOut()
    await rig.run()
    expect((await books.booked(account)).balance).toBe(100n)
  })

  it('splits by the maximum and leaves what is below the minimum', async () => {
    await owing(1_000n, { maxAmount: 250n, minAmount: 200n, settleTo: 0n })
    expect(orders().map(({ amount }) => amount)).toEqual([250n, 250n, 250n, 250n])
    await rig.engine.carryOut()
    await rig.run()
    await owe(1_100n)
    expect(
      orders()
        .slice(4)
        .map(({ amount }) => amount),
    ).toEqual([250n, 250n, 250n, 250n])
    expect((await books.booked(account)).balance).toBe(1_100n)
  })

  it('has a bounded number of orders under way, and goes on when they end', async () => {
    await owing(10_000n, { maxAmount: 100n, settleTo: 0n })
    expect(orders()).toHaveLength(16)
    for (let round = 0; round < 20; round++) {
      await rig.engine.carryOut()
      await rig.run()
    }
    expect((await books.booked(account)).balance).toBeLessThan(1_000n)
  })

  it('pays in the scale of the engine and leaves what is too fine for it', async () => {
    await rig.stop()
    rig = new SettlementRig(books, { name: books.unique('node'), engineScale: 6 })
    await owing(1_234_567n)
    expect(orders()[0]).toMatchObject({ amount: 1_234_000n, quantity: { amount: 1_234n, scale: 6 } })
    await rig.engine.carryOut()
    await rig.run()
    expect((await books.booked(account)).balance).toBe(567n)
  })

  it('settles on the interval what is above settleTo', async () => {
    await owing(500n, { intervalMs: 60_000 })
    expect(orders()).toEqual([])
    await rig.pass(60_000)
    expect(orders().map(({ amount, cause }) => [amount, cause])).toEqual([[400n, 'interval']])
    await rig.engine.carryOut()
    await rig.pass(60_000)
    expect(orders()).toHaveLength(1)
  })
})

describe('settling now', () => {
  it('settles without a threshold, once, however often it is asked at the same time', async () => {
    await owing(600n)
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, () => rig.coordinator.settleNow(account.id)),
    )
    await rig.run()
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(orders().map(({ amount, cause }) => [amount, cause])).toEqual([[500n, 'operator']])
  })

  it('never settles more than is owed, together with the threshold', async () => {
    await owing(600n)
    await books.owe(account, 1_000n)
    rig.coordinator.balanceChanged(account.id)
    rig.coordinator.tick()
    await Promise.allSettled([
      rig.coordinator.settleNow(account.id, 1_500n),
      rig.coordinator.settleNow(account.id, 1_500n),
    ])
    await rig.run()
    await rig.engine.carryOut()
    await rig.run()
    expect(orders().reduce((sum, { amount }) => sum + amount, 0n)).toBeLessThanOrEqual(1_600n)
    expect((await books.booked(account)).balance).toBeGreaterThanOrEqual(0n)
  })

  it('refuses what cannot be, and changes nothing', async () => {
    await owing(50n, { minAmount: 20n })
    const refusal = async (amount?: bigint, id = account.id): Promise<string> =>
      await rig.coordinator.settleNow(id, amount).then(
        () => 'done',
        (error: SettlementRefusal) => error.kind,
      )
    expect(await refusal()).toBe('conflict')
    expect(await refusal(51n)).toBe('conflict')
    expect(await refusal(10n)).toBe('conflict')
    expect(await refusal(0n)).toBe('invalid')
    expect(await refusal(1n, 'nobody')).toBe('not-found')
    expect(orders()).toEqual([])
  })
})

describe('a pause', () => {
  it('holds back new orders over a restart, and lets those under way end', async () => {
    await owing(1_000n)
    rig.coordinator.pause(account.id, 'maintenance')
    await owe(5_000n)
    await rig.engine.carryOut()
    await rig.run()
    expect(orders().map(({ state }) => state)).toEqual(['settled'])
    await expect(rig.coordinator.settleNow(account.id)).rejects.toThrow(/paused/)
    expect(rig.journal.pauseOf(account.id)?.reason).toBe('maintenance')
    rig.coordinator.resume(account.id)
    await rig.run()
    expect(orders()).toHaveLength(2)
  })

  it('holds back what was about to be planned, and does not take an operator at an old word', async () => {
    const { ledger } = books
    let answer = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    await rig.stop()
    rig = new SettlementRig(books, {
      name: books.unique('node'),
      ledger: {
        available: true,
        probe: () => ledger.probe(),
        openAccount: (spec) => ledger.openAccount(spec),
        settleIn: (entry) => ledger.settleIn(entry),
        holdSettlement: (entry) => ledger.holdSettlement(entry),
        postSettlement: (id) => ledger.postSettlement(id),
        voidSettlement: (id) => ledger.voidSettlement(id),
        balance: async (of) => {
          asked.resolve()
          await answer.promise
          return await ledger.balance(of)
        },
        balances: () => ledger.balances(),
        history: (query) => ledger.history(query),
      },
    })
    await owing(600n)
    await books.owe(account, 400n)
    rig.coordinator.balanceChanged(account.id)
    rig.coordinator.tick()
    await asked.promise
    rig.coordinator.pause(account.id, 'maintenance')
    answer.resolve()
    await rig.run()
    expect(orders()).toEqual([])

    await rig.add(account, { threshold: 5_000n })
    rig.coordinator.resume(account.id)
    await rig.run()
    answer = Promise.withResolvers()
    const now = rig.coordinator.settleNow(account.id)
    await new Promise((resolve) => setImmediate(resolve))
    await rig.add(account, { threshold: 5_000n, settleTo: 999n })
    answer.resolve()
    await expect(now).rejects.toThrow(/meanwhile/)
    expect(orders()).toEqual([])
  })

  it('keeps an order that is not handed over', async () => {
    account = await books.account(9, 1_000n)
    await rig.add(account)
    rig.engine.answers.push('unavailable')
    await rig.start([])
    rig.coordinator.pause(account.id, 'maintenance')
    await rig.pass(HOUR_MS)
    expect(orders()[0]?.state).toBe('held')
    rig.coordinator.resume(account.id)
    await rig.run()
    expect(orders()[0]?.state).toBe('handed-over')
  })
})

describe('an engine in trouble', () => {
  it('costs its channel gauges only when it cannot tell its channels', async () => {
    account = await books.account(9, 1_000n)
    await rig.start([{ account }])
    rig.engine.channels = () => {
      throw new Error('broken books')
    }
    await rig.pass(60_000)
    await rig.engine.carryOut()
    await rig.run()
    expect(orders()[0]?.state).toBe('settled')
  })

  it('serves the others when it does not take an account, which raises an alarm', async () => {
    account = await books.account(9, 1_000n)
    const refused = await books.account(9, 1_000n)
    const open = rig.engine.openAccount.bind(rig.engine)
    rig.engine.openAccount = async (one) => {
      if (one.id === refused.id) throw new EngineConfigError('mode', 'there is no such mode')
      await open(one)
    }
    await rig.start([{ account }, { account: refused }])
    await rig.engine.carryOut()
    await rig.run()
    expect(orders()[0]?.state).toBe('settled')
    expect(rig.alarms.counts.account).toBe(1)
  })

  it('is asked again with the same id, ever more seldom, at last once an hour', async () => {
    account = await books.account(9, 1_000n)
    rig.engine.unreachable = true
    await rig.start([{ account }])
    const pauses: number[] = []
    let lastMs = rig.clock.nowMs
    let calls = rig.engine.calls.length
    for (let second = 0; second < 4 * 3_600 && pauses.length < 14; second++) {
      await rig.pass(second < 4_000 ? 1_000 : 60_000)
      if (rig.engine.calls.length === calls) continue
      calls = rig.engine.calls.length
      pauses.push((rig.clock.nowMs - lastMs) / 1_000)
      lastMs = rig.clock.nowMs
    }
    expect(pauses.slice(0, 5)).toEqual([1, 2, 4, 8, 16])
    expect(pauses.at(-1)).toBe(3_600)
    expect(new Set(rig.engine.calls.map(({ id }) => id)).size).toBe(1)
    expect(orders()).toHaveLength(1)
    rig.engine.unreachable = false
    await rig.pass(HOUR_MS)
    await rig.engine.carryOut()
    await rig.run()
    expect((await books.booked(account)).balance).toBe(100n)
  })

  it.each(['taken-unheard', 'taken-silent', 'unavailable'] as const)(
    'pays once when the answer is "%s"',
    async (answer) => {
      account = await books.account(9, 1_000n)
      rig.engine.answers.push(answer)
      await rig.start([{ account }])
      expect(orders()[0]?.state).toBe('held')
      await rig.pass(HOUR_MS)
      await rig.engine.carryOut()
      await rig.run()
      expect(orders().map(({ state }) => state)).toEqual(['settled'])
      expect(Object.keys(rig.engine.orders)).toHaveLength(1)
      expect((await books.booked(account)).balance).toBe(100n)
    },
  )

  it('never takes silence for an end', async () => {
    await owing(1_000n)
    rig.engine.outcome = () => 'open'
    for (let day = 0; day < 30; day++) await rig.pass(24 * HOUR_MS)
    expect(orders().map(({ state }) => state)).toEqual(['handed-over'])
    expect((await books.booked(account)).debitsPending).toBe(900n)
    expect(rig.engine.calls).toHaveLength(1)
  })

  it('gets the amount back when it refuses, waits, and tries under a new id', async () => {
    await owing(1_000n)
    rig.engine.outcome = () => 'refused'
    await rig.engine.carryOut()
    await rig.run()
    expect(orders().map(({ state, reason }) => [state, reason])).toEqual([['refused', 'the network refused']])
    const { balance, debitsPending } = await books.booked(account)
    expect([balance, debitsPending]).toEqual([1_000n, 0n])
    expect([rig.alarms.counts.refused, rig.metrics.failures]).toEqual([1, 1])
    await rig.pass(59_000)
    expect(orders()).toHaveLength(1)
    await rig.pass(1_000)
    expect(orders()).toHaveLength(2)
    expect(new Set(orders().map(({ id }) => id)).size).toBe(2)
    rig.engine.outcome = () => 'settled'
    await rig.engine.carryOut()
    await rig.run()
    expect((await books.booked(account)).balance).toBe(100n)
  })

  it('hears the end before the hand-over is answered', async () => {
    account = await books.account(9, 1_000n)
    rig.engine.instant = true
    await rig.start([{ account }])
    await rig.run()
    expect(orders().map(({ state }) => state)).toEqual(['settled'])
  })

  it('raises an alarm for an id that it knows with other fields, and gives nothing back', async () => {
    account = await books.account(9, 1_000n)
    rig.engine.answers.push('conflict')
    await rig.start([{ account }])
    expect(rig.alarms.counts.conflict).toBe(1)
    expect(orders()[0]?.state).toBe('held')
  })

  it('is not believed when it contradicts itself, or tells of what nobody ordered', async () => {
    await owing(1_000n)
    const host = rig.coordinator.host('scripted')
    const [order] = orders()
    await host.settled(order!.id)
    await host.settled(order!.id)
    await rig.run()
    await host.settled(order!.id)
    await expect(host.refused(order!.id, 'no')).rejects.toThrow(/cannot be declined/)
    await expect(host.settled('unheard-of')).rejects.toThrow(/unknown/)
    await expect(rig.coordinator.host('other').settled(order!.id)).rejects.toThrow(/unknown/)
    expect(rig.alarms.counts.contradiction).toBe(3)
    expect((await books.booked(account)).balance).toBe(100n)
  })
})

describe('an engine that asks for its orders', () => {
  it('is told what it carried out, what it has, and what it may have', async () => {
    await owing(1_000n)
    const host = rig.coordinator.host('scripted')
    const [order] = orders()
    const { id, quantity } = order!
    const asked = { id, accountId: account.id, quantity }
    expect(await host.orders(account.id)).toMatchObject({
      settled: { amount: 0n },
      open: [asked],
      offered: [],
    })
    const other = rig.coordinator.host('other')
    await expect(other.orders(account.id)).rejects.toThrow('not compared yet')
    await rig.run()
    expect(await other.orders(account.id)).toMatchObject({ open: [], offered: [] })
    await host.settled(id)
    await rig.run()
    expect(await host.orders(account.id)).toEqual({ settled: quantity, open: [], offered: [] })
  })
})

describe('a ledger in trouble', () => {
  /** The real ledger, with a call that does something before or after it. */
  function ledgerThat(changes: Partial<SettlementLedger>): SettlementLedger {
    const { ledger } = books
    return {
      available: true,
      probe: () => ledger.probe(),
      openAccount: (spec) => ledger.openAccount(spec),
      settleIn: (entry) => ledger.settleIn(entry),
      holdSettlement: (entry) => ledger.holdSettlement(entry),
      postSettlement: (id) => ledger.postSettlement(id),
      voidSettlement: (id) => ledger.voidSettlement(id),
      balance: (of) => ledger.balance(of),
      balances: () => ledger.balances(),
      history: (query) => ledger.history(query),
      ...changes,
    }
  }

  async function useLedger(ledger: SettlementLedger): Promise<void> {
    await rig.stop()
    rig = new SettlementRig(books, { name: books.unique('node'), ledger })
  }

  it('that will not hold an amount ends the order before an engine hears of it', async () => {
    let refuse = true
    const ledger = ledgerThat({
      holdSettlement: async (entry) => {
        if (refuse) throw new LedgerFaultError('more than the account has; nothing is held')
        await books.ledger.holdSettlement(entry)
      },
    })
    await useLedger(ledger)
    await owing(1_000n)
    expect(orders().map(({ state }) => state)).toEqual(['refused'])
    expect(rig.engine.calls).toEqual([])
    refuse = false
    await rig.pass(HOUR_MS)
    expect(orders().map(({ state }) => state)).toEqual(['refused', 'handed-over'])
  })

  it('that has failed proves nothing about the amount', async () => {
    const failed = {
      holdSettlement: async (entry: SettlementEntry) => {
        await books.ledger.holdSettlement(entry)
        throw new LedgerFaultError('the ledger has failed')
      },
    }
    await useLedger({ ...ledgerThat(failed), available: false })
    await owing(1_000n)
    await rig.pass(HOUR_MS)
    expect(orders().map(({ state }) => state)).toEqual(['planned'])
    expect(rig.engine.calls).toEqual([])
  })

  it('that loses its answers is asked again by the same id, and books once', async () => {
    const random = new SeededRandom(99)
    const unheard = async <T>(call: Promise<T>): Promise<T> => {
      const result = await call
      if (random.below(3) > 0) throw new LedgerUnavailableError('the answer was lost')
      return result
    }
    const { ledger } = books
    await useLedger(
      ledgerThat({
        settleIn: (entry) => unheard(ledger.settleIn(entry)),
        holdSettlement: (entry) => unheard(ledger.holdSettlement(entry)),
        postSettlement: (id) => unheard(ledger.postSettlement(id)),
        voidSettlement: (id) => unheard(ledger.voidSettlement(id)),
      }),
    )
    await owing(1_000n, { maxAmount: 300n })
    rig.engine.outcome = (id) => (Object.keys(rig.engine.orders).indexOf(id) === 0 ? 'refused' : 'settled')
    const quantity = { amount: 5n, scale: 9 }
    const told = { accountId: account.id, assetCode: 'XRP', quantity, sender: undefined }
    rig.engine.payIn({ ...told, id: books.unique('credit') })
    rig.engine.payIn({ ...told, id: books.unique('credit'), accountId: undefined })
    for (let round = 0; round < 40; round++) {
      await rig.pass(HOUR_MS)
      await rig.engine.carryOut()
    }
    expect(rig.engine.allTold).toBe(true)
    expect(rig.coordinator.credits.hasOpen).toBe(false)
    const ends = orders().map(({ state }) => state)
    expect(new Set(ends)).toEqual(new Set(['refused', 'settled']))
    const paid = orders().reduce((sum, { amount, state }) => (state === 'settled' ? sum + amount : sum), 0n)
    const { balance, debitsPending } = await books.booked(account)
    expect([balance, debitsPending]).toEqual([1_005n - paid, 0n])
    expect(paid).toBe(600n)
  })

  it('does not keep the node from stopping', async () => {
    await useLedger(ledgerThat({ holdSettlement: () => new Promise(() => undefined) }))
    account = await books.account(9, 1_000n)
    await rig.add(account)
    rig.coordinator.start()
    await rig.engine.start()
    await rig.coordinator.addEngine(rig.engine)
    rig.coordinator.tick()
    const startedMs = Date.now()
    await rig.coordinator.stop()
    expect(Date.now() - startedMs).toBeLessThan(5_000)
  })
})

describe('an account that is taken out', () => {
  it('plans nothing new, and what is under way ends', async () => {
    await owing(1_000n)
    await rig.coordinator.removeAccount(account.id)
    await owe(10_000n)
    await rig.engine.carryOut()
    await rig.run()
    expect(orders().map(({ state }) => state)).toEqual(['settled'])
  })

  it('before a restart has its orders carried to their end after it', async () => {
    await owing(1_000n)
    const [order] = orders()
    await rig.stop()
    const again = new SettlementRig(books, { name: rig.name, clock: rig.clock })
    again.journal.outgoing.advance(order!.id, 'carried-out')
    await again.start([])
    expect(again.journal.outgoing.get(order!.id)?.state).toBe('settled')
    expect((await books.booked(account)).balance).toBe(100n)
    rig = again
  })

  it('whose terms contradict each other is not added', async () => {
    account = await books.account(9, 0n)
    for (const terms of [
      { threshold: 0n },
      { settleTo: 1_000n },
      { settleTo: -1n },
      { maxAmount: 5n, minAmount: 6n },
      { intervalMs: 10 },
    ]) {
      await expect(rig.add(account, terms)).rejects.toThrow(SettlementRefusal)
    }
    expect(rig.coordinator.settledAccounts).toEqual([])
  })
})

describe('sums', () => {
  it('are exact over 1,000 random amounts and scales, with floors, splits and remainders', {
    timeout: 120_000,
  }, async () => {
    const random = new SeededRandom(4_711)
    const name = books.unique('sums')
    const accounts = []
    await rig.stop()
    rig = new SettlementRig(books, { name, clock: new FakeClock(), engineScale: 8 })
    for (let index = 0; index < 4; index++) {
      const assetScale = 6 + index * 2
      const own = await books.account(assetScale, 0n)
      const terms = { threshold: 5_000n, maxAmount: 90_000n * 10n ** BigInt(assetScale - 6) }
      accounts.push({ account: own, told: 0n, terms })
    }
    await rig.start(accounts)
    const fine = 18
    for (let round = 0; round < 1_000; round++) {
      const one = random.pick(accounts)
      const scale = random.below(fine + 1 - 6) + 6
      const amount = 1n + BigInt(random.below(90_000))
      one.told += amount * 10n ** BigInt(fine - scale)
      rig.engine.payIn({
        id: `${name}-${round}`,
        accountId: one.account.id,
        assetCode: 'XRP',
        quantity: { amount, scale },
        sender: undefined,
      })
      if (round % 50 !== 49) continue
      await rig.engine.tellAll()
      await rig.run()
      await rig.engine.carryOut()
      await rig.run()
    }
    for (const { account: own, told } of accounts) {
      const all = rig.journal.page({ accountId: own.id, limit: 10_000 })
      const paid = all.reduce(
        (sum, e) =>
          e.direction === 'out' && e.settlement.state === 'settled' ? sum + e.settlement.amount : sum,
        0n,
      )
      const inEngine = Object.values(rig.engine.orders)
        .filter(({ accountId, state }) => accountId === own.id && state === 'settled')
        .reduce((sum, { amount, scale }) => sum + BigInt(amount) * 10n ** BigInt(fine - scale), 0n)
      const { balance } = await books.booked(own)
      const remainder = rig.journal.credits.remainder('scripted', own)
      const unit = 10n ** BigInt(fine - own.assetScale)
      expect(inEngine).toBe(paid * unit)
      expect((balance + paid) * unit + remainder.amount * 10n ** BigInt(fine - remainder.scale)).toBe(told)
      expect(remainder.amount * 10n ** BigInt(fine - remainder.scale)).toBeLessThan(unit)
    }
  })
})
