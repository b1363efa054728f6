import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CreditBook } from '../../../settlement-engines/evm/engine/credit-book.ts'
import type { EngineCore } from '../../../settlement-engines/evm/engine/engine-core.ts'
import { prepareEngineTables } from '../../../settlement-engines/evm/engine/engine-tables.ts'
import { OrderBook } from '../../../settlement-engines/evm/engine/order-book.ts'
import { Teller } from '../../../settlement-engines/evm/engine/teller.ts'
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

function add(channel: string, figure: number, accountId: string | undefined): void {
  const quantity = { amount: 1n, scale: 6 }
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
  await new Teller(core as unknown as EngineCore, { host }).tell()
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
