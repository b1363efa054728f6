import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { CreditConflictError } from '../../../src/settlement/credit-journal.ts'
import type { EngineHost, IncomingCredit } from '../../../src/settlement/engine.ts'
import { suspenseAccountId } from '../../../src/settlement/ledger-suspense.ts'
import { SettlementRig, TestBooks } from './settlement-rig.ts'

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount
let host: EngineHost

beforeAll(async () => {
  books = await TestBooks.open()
})

afterAll(async () => {
  await books.close()
})

beforeEach(async () => {
  rig = new SettlementRig(books, { name: books.unique('node') })
  account = await books.account(6, 0n)
  await rig.start([{ account, terms: { threshold: 10n ** 30n } }])
  host = rig.coordinator.host('scripted')
})

afterEach(async () => {
  await rig.stop()
})

function credit(amount: bigint, scale: number, fields: Partial<IncomingCredit> = {}): IncomingCredit {
  return {
    id: books.unique('credit'),
    accountId: account.id,
    assetCode: 'XRP',
    quantity: { amount, scale },
    sender: 'someone',
    ...fields,
  }
}

async function balance(of = account): Promise<bigint> {
  return (await books.booked(of)).balance
}

async function suspended(scale: number): Promise<bigint> {
  const id = suspenseAccountId('XRP', scale)
  return (
    (await books.ledger.balances()).find((row) => row.id === id && row.kind === 'clearing')?.balance ?? 0n
  )
}

describe('incoming credits', () => {
  it('are booked once, however often they are told, also at the same time', async () => {
    const one = credit(500n, 6)
    await Promise.all([host.credit(one), host.credit(one), host.credit(one)])
    await host.credit(one)
    expect(await balance()).toBe(500n)
  })

  it('keep what is too small to be booked until it is enough', async () => {
    for (let count = 0; count < 3; count++) await host.credit(credit(400n, 9))
    expect(await balance()).toBe(1n)
    expect(rig.journal.credits.remainder('scripted', account)).toEqual({ amount: 200n, scale: 9 })
    await host.credit(credit(8n, 7))
    expect(await balance()).toBe(2n)
    expect(rig.journal.credits.remainder('scripted', account)).toEqual({ amount: 0n, scale: 9 })
  })

  it('keep remainders of engines apart', async () => {
    await host.credit(credit(600n, 9))
    await rig.coordinator.host('other').credit(credit(600n, 9))
    expect(await balance()).toBe(0n)
  })

  it('of two engines may have the same id', async () => {
    const one = credit(5n, 6)
    await host.credit(one)
    await rig.coordinator.host('other').credit(one)
    expect(await balance()).toBe(10n)
  })

  it('told again with other fields are refused, and change nothing', async () => {
    const one = credit(5n, 6)
    await host.credit(one)
    for (const other of [
      { ...one, quantity: { amount: 6n, scale: 6 } },
      { ...one, quantity: { amount: 5n, scale: 7 } },
      { ...one, accountId: undefined },
      { ...one, assetCode: 'USD' },
    ]) {
      await expect(host.credit(other)).rejects.toThrow(CreditConflictError)
    }
    expect(await balance()).toBe(5n)
  })

  it('that are no money are refused', async () => {
    for (const bad of [
      credit(0n, 6),
      credit(-1n, 6),
      credit(1n, 256),
      credit(1n, 6, { id: '' }),
      credit(1n, 6, { id: 'x'.repeat(129) }),
      credit(1n, 6, { assetCode: 'no code' }),
    ]) {
      await expect(host.credit(bad)).rejects.toThrow(RangeError)
    }
    expect(rig.journal.page({ limit: 10 })).toEqual([])
  })
})

describe('credits beyond what the ledger can hold', () => {
  const WORD_MAX = 2n ** 256n - 1n

  it.each([
    ['of an account', {}],
    ['of nobody known', { accountId: undefined }],
  ])('are refused before anything is written: %s', async (_, fields) => {
    for (const amount of [10n ** 38n, WORD_MAX]) {
      const one = credit(amount, 6, fields)
      await expect(host.credit(one)).rejects.toThrow(/more than the ledger can hold/)
      expect(rig.journal.credits.get('scripted', one.id)).toBeUndefined()
    }
    expect(rig.journal.totals('scripted')).toEqual([])
    await host.credit(credit(10n ** 38n - 1n, 6, fields))
    expect(rig.coordinator.credits.hasOpen).toBe(false)
  })

  it('are none when the account counts coarsely enough: nothing of them is lost', async () => {
    await host.credit(credit(WORD_MAX, 60))
    expect(await balance()).toBe(WORD_MAX / 10n ** 54n)
    expect(rig.journal.credits.remainder('scripted', account).amount).toBe(WORD_MAX % 10n ** 54n)
  })

  it('cannot be attributed, and stay in suspense', async () => {
    const one = credit(10n ** 35n, 2, { accountId: undefined })
    await host.credit(one)
    await expect(rig.coordinator.attribute('scripted', one.id, account.id)).rejects.toThrow(/can hold/)
    expect(rig.journal.credits.get('scripted', one.id)?.state).toBe('suspended')
    expect(await suspended(2)).toBe(10n ** 35n)
  })
})

describe('credits of nobody known', () => {
  it.each<[string, Partial<IncomingCredit>]>([
    ['no account', { accountId: undefined }],
    ['an account that is not there', { accountId: 'stranger' }],
    ['an account of another asset', { assetCode: 'USD' }],
  ])('wait in suspense: %s', async (_, fields) => {
    const one = credit(70n, 8, fields)
    const before = await suspended(8)
    await host.credit(one)
    await host.credit(one)
    expect(await balance()).toBe(0n)
    expect(rig.journal.credits.get('scripted', one.id)?.state).toBe('suspended')
    if (fields.assetCode === undefined) expect((await suspended(8)) - before).toBe(70n)
  })

  it('go to the account that an operator names, once, with the remainder', async () => {
    const one = credit(1_500n, 9, { accountId: undefined })
    const before = await suspended(9)
    await host.credit(one)
    const { credits } = rig.coordinator
    await Promise.all([
      credits.attribute('scripted', one.id, account.id),
      credits.attribute('scripted', one.id, account.id),
    ])
    await credits.attribute('scripted', one.id, account.id)
    expect(await balance()).toBe(1n)
    expect(await suspended(9)).toBe(before)
    expect(rig.journal.credits.remainder('scripted', account)).toEqual({ amount: 500n, scale: 9 })
    await host.credit(one)
    expect(await balance()).toBe(1n)
  })

  it('cannot be attributed twice, nor to what is not there, nor to another asset', async () => {
    const one = credit(5n, 6, { accountId: undefined })
    const usd = credit(5n, 6, { accountId: undefined, assetCode: 'USD' })
    await host.credit(one)
    await host.credit(usd)
    const other = await books.account(6, 0n)
    await rig.add(other)
    const { credits } = rig.coordinator
    await expect(credits.attribute('scripted', 'unheard-of', account.id)).rejects.toThrow(/no credit/)
    await expect(credits.attribute('scripted', one.id, 'nobody')).rejects.toThrow(/no account/)
    await expect(credits.attribute('scripted', usd.id, account.id)).rejects.toThrow(/XRP/)
    await credits.attribute('scripted', one.id, account.id)
    await expect(credits.attribute('scripted', one.id, other.id)).rejects.toThrow(/went to/)
    expect([await balance(), await balance(other)]).toEqual([5n, 0n])
  })
})

describe('an engine that asks what was credited', () => {
  it('is told the sum of its own credits by the beginning of their ids, whatever became of them', async () => {
    const channel = books.unique('evm:1:0xab')
    await host.credit(credit(500n, 6, { id: `${channel}:500` }))
    await host.credit(credit(7n, 9, { id: `${channel}:507` }))
    await host.credit(credit(1_000n, 6, { id: `${channel}:x`, accountId: undefined }))
    await host.credit(credit(90n, 6, { id: `${channel}_:90` }))
    await rig.coordinator.host('other').credit(credit(600n, 6, { id: `${channel}:600` }))
    expect(await host.credited(`${channel}:`)).toEqual({ amount: 1_500_007n, scale: 9 })
    expect(await host.credited('evm:2:')).toEqual({ amount: 0n, scale: 0 })
  })

  it('is not told anything while settlement does not run', async () => {
    await rig.stop()
    await expect(host.credited('evm:')).rejects.toThrow('not running')
    await expect(host.orders(account.id)).rejects.toThrow('not running')
  })
})
