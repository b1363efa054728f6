import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CreditBook } from '../../../settlement-engines/evm/engine/credit-book.ts'
import type { EngineCore } from '../../../settlement-engines/evm/engine/engine-core.ts'
import { prepareEngineTables } from '../../../settlement-engines/evm/engine/engine-tables.ts'
import { OrderBook } from '../../../settlement-engines/evm/engine/order-book.ts'
import { Teller } from '../../../settlement-engines/evm/engine/teller.ts'
import { totalOf } from '../../../settlement-engines/evm/engine/totals.ts'
import { EngineStore } from '../../../settlement-engines/evm/engine-store.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import type { EngineHost, IncomingCredit } from '../../../src/settlement/engine.ts'

let store: EngineStore
let credits: CreditBook
let tries: string[]

beforeEach(() => {
  store = new EngineStore(':memory:')
  store.start()
  prepareEngineTables(store)
  credits = new CreditBook({ store })
  tries = []
})
afterEach(() => {
  store.stop()
})

function add(channel: string, figure: number, accountId: string | undefined, amount = 1n): void {
  const quantity = { amount, scale: 6 }
  const id = `evm:1:${channel}:${figure}`
  credits.add({ id, accountId, assetCode: 'USD', quantity, sender: undefined })
}

async function tell(refuses: (credit: IncomingCredit) => boolean): Promise<void> {
  const host = {
    credit: async (credit: IncomingCredit) => {
      tries.push(credit.id)
      if (refuses(credit)) throw new Error('not this one')
    },
  } as unknown as EngineHost
  const orders = new OrderBook({ store })
  const core = { credits, orders, logger: silentLogger, checkpoint: () => undefined }
  await new Teller(core as unknown as EngineCore, { host, check: async () => undefined }).tell()
}

describe('credits that the node does not take', () => {
  it('of one channel keep no others from being told, however many they are', async () => {
    for (let figure = 1; figure <= 250; figure++) add('bad', figure, 'a')
    add('good', 1, 'a')
    add('other', 1, 'b')
    add('stranger', 1, undefined)
    await tell(({ id }) => id.includes(':bad:'))
    expect(tries).toEqual(['evm:1:bad:1', 'evm:1:good:1', 'evm:1:other:1', 'evm:1:stranger:1'])
    expect(credits.untold(1_000, 0)).toHaveLength(250)
    await tell(() => false)
    // In order, as many as go in one round.
    expect(tries.slice(4)).toEqual(Array.from({ length: 100 }, (_, index) => `evm:1:bad:${index + 1}`))
  })

  it('of many channels of one account keep no other account from being told', async () => {
    for (let channel = 1; channel <= 250; channel++) add(`bad${channel}`, 1, 'a')
    add('other', 1, 'b')
    await tell(({ accountId }) => accountId === 'a')
    expect(tries.length).toBeLessThan(100)
    expect(tries.at(-1)).toBe('evm:1:other:1')
  })
})

describe('credits that the node has from other books', () => {
  const prefix = 'evm:1:old:'
  const left = () =>
    credits.untold(10, 0).map(({ id, quantity }) => [id.slice(prefix.length), quantity.amount])

  it('are told no more, oldest first, and of the last one what is left', () => {
    add('old', 30, 'a', 30n)
    add('old', 70, 'a', 40n)
    add('old', 90, undefined, 20n)
    expect(credits.untoldSum(prefix)).toBe(90n)
    credits.cover(prefix, 0n)
    credits.cover(prefix, -5n)
    expect(credits.untoldSum(prefix)).toBe(90n)
    credits.cover(prefix, 45n)
    expect(left()).toEqual([
      ['70', 25n],
      ['90', 20n],
    ])
    expect(totalOf(store, 'credited', 'a')).toBe(45n)
    credits.cover(prefix, 45n)
    expect(left()).toEqual([])
    expect(totalOf(store, 'credited', 'a')).toBe(70n)
  })

  it('are found out before anything of theirs is told', async () => {
    add('old', 30, 'a', 30n)
    add('old', 70, 'a', 40n)
    add('new', 5, 'b')
    const told: [string, bigint][] = []
    const host = {
      credit: async ({ id, quantity }: IncomingCredit) => void told.push([id, quantity.amount]),
    } as unknown as EngineHost
    const core = {
      credits,
      orders: new OrderBook({ store }),
      logger: silentLogger,
      checkpoint: () => undefined,
    }
    let isKnown = false
    const check = async ({ id }: IncomingCredit) => {
      if (!id.startsWith(prefix)) return
      if (!isKnown) throw new Error('the chain does not answer')
      credits.cover(prefix, credits.untoldSum(prefix) - 28n)
    }
    const teller = new Teller(core as unknown as EngineCore, { host, check })
    await teller.tell()
    expect(told).toEqual([['evm:1:new:5', 1n]])
    isKnown = true
    await teller.tell()
    expect(told.slice(1)).toEqual([['evm:1:old:70', 28n]])
  })
})
