import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChannelBook } from '../../../settlement-engines/evm/engine/channel-book.ts'
import { ChannelDesk } from '../../../settlement-engines/evm/engine/channel-desk.ts'
import type { ChannelRecord } from '../../../settlement-engines/evm/engine/channel-record.ts'
import type { EngineCore } from '../../../settlement-engines/evm/engine/engine-core.ts'
import { prepareEngineTables } from '../../../settlement-engines/evm/engine/engine-tables.ts'
import { OrderBook } from '../../../settlement-engines/evm/engine/order-book.ts'
import { totalOf } from '../../../settlement-engines/evm/engine/totals.ts'
import { EngineStore } from '../../../settlement-engines/evm/engine-store.ts'

let store: EngineStore

beforeEach(() => {
  store = new EngineStore(':memory:')
  store.start()
  prepareEngineTables(store)
})
afterEach(() => {
  store.stop()
})

describe('an order', () => {
  it('ends once, whoever finds its end a second time', () => {
    const orders = new OrderBook({ store })
    orders.add({ id: 'a', accountId: 'peer', amount: 7n })
    orders.add({ id: 'b', accountId: 'peer', amount: 5n })
    const [a, b] = orders.open('peer')
    orders.settle(a!)
    orders.settle(a!)
    orders.refuse(a!, 'too late')
    orders.refuse(b!, 'no')
    orders.settle(b!)
    expect(totalOf(store, 'settled', 'peer')).toBe(7n)
    expect(orders.get('a')).toMatchObject({ state: 'settled', reason: undefined })
    expect(orders.get('b')).toMatchObject({ state: 'refused', reason: 'no' })
  })
})

describe('a channel in the books', () => {
  const idOf = (byte: string) => `0x${byte.repeat(32)}` as const
  const channel = (id: `0x${string}`): ChannelRecord => {
    const token = `0x${'00'.repeat(20)}` as const
    const terms = { payee: token, token, signer: token, settleDelay: 900, salt: id }
    const open = { id, accountId: 'peer', direction: 'in', state: 'open', token, scale: 18, terms } as const
    const amounts = { deposited: 10n, claimed: 0n, cumulative: 3n, acked: 0n, held: 3n }
    const none = { signature: undefined, closeAt: undefined, unclaimedSinceMs: 5, claimPurpose: undefined }
    return { ...open, ...amounts, ...none }
  }

  it('is written when something about it is new, and not in every round', () => {
    const channels = new ChannelBook({ store })
    const id = idOf('ab')
    channels.save(channel(id))
    const writes = () => Number(store.database.prepare('SELECT total_changes() AS n').get()!.n)
    const before = writes()
    channels.update(id, { state: 'open', claimed: 0n, closeAt: undefined, unclaimedSinceMs: 5 })
    expect(writes()).toBe(before)
    expect(channels.update(id, { claimed: 3n, unclaimedSinceMs: undefined })).toEqual(channels.find(id))
    expect(writes()).toBe(before + 1)
    expect(channels.find(id)).toMatchObject({ claimed: 3n, unclaimedSinceMs: undefined })
  })
  it('is read from the file once, and again when it was written', () => {
    const first = new ChannelBook({ store })
    first.save(channel(idOf('aa')))
    const channels = new ChannelBook({ store })
    const [before] = channels.all()
    expect(channels.all()[0]).toBe(before)
    channels.update(idOf('aa'), { claimed: 3n })
    channels.save(channel(idOf('bb')))
    expect(channels.all()).toEqual([channels.find(idOf('aa')), channels.find(idOf('bb'))])
    expect(channels.live('in').map(({ claimed }) => claimed)).toEqual([3n, 0n])
    channels.update(idOf('aa'), { state: 'closed' })
    expect(channels.live('in').map(({ id }) => id)).toEqual([idOf('bb')])
    expect(channels.live('out')).toEqual([])
  })

  it('shows what a transaction has written inside of it, and nothing of one that was undone', () => {
    const channels = new ChannelBook({ store })
    channels.save(channel(idOf('aa')))
    const before = channels.all()
    const work = () => {
      channels.update(idOf('aa'), { claimed: 3n })
      channels.save(channel(idOf('bb')))
      expect(channels.all().map(({ claimed }) => claimed)).toEqual([3n, 0n])
      throw new Error('undone')
    }
    expect(() => store.transaction(work)).toThrow('undone')
    expect(channels.all()).toEqual(before)
  })
  it('shows nothing as unclaimed once it is closed: nobody can claim it', () => {
    const channels = new ChannelBook({ store })
    const desk = new ChannelDesk(
      { channels } as EngineCore,
      {} as ConstructorParameters<typeof ChannelDesk>[1],
    )
    channels.save(channel(idOf('aa')))
    expect(desk.views()).toMatchObject([{ state: 'open', unclaimed: 3n }])
    channels.update(idOf('aa'), { state: 'closed', claimed: 1n })
    expect(desk.views()).toMatchObject([{ state: 'closed', claimed: 1n, unclaimed: 0n }])
  })
})
