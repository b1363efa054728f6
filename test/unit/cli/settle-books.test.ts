import { describe, expect, it } from 'vitest'
import type { PaymentChannelView } from '../../../src/admin/services.ts'
import { type Books, type ChainBooks, checkBooks } from '../../../src/cli/settle-demo/settle-books.ts'
import type { Side } from '../../../src/cli/settle-demo/settle-nodes.ts'

function channel(change: Partial<PaymentChannelView>): PaymentChannelView {
  const fixed = { engine: 'evm', assetCode: 'USD', token: '0x', tokenScale: 6, expiresAtMs: undefined }
  return {
    ...fixed,
    id: 'a',
    accountId: 'peer',
    direction: 'out',
    state: 'open',
    deposit: '20',
    claimed: '4',
    unclaimed: '3',
    ...change,
  }
}

/** North paid 7 tokens of 20 in channel `a`, 4 of them claimed; south paid 2 of 5 in channel `b`, which is closed. */
function consistent(): { books: [Books, Books]; chain: ChainBooks } {
  const closed = channel({ id: 'b', state: 'closed', deposit: '5', claimed: '2', unclaimed: '0' })
  const common = { reconciliation: { checkedAtMs: 0, accountsChecked: 1, discrepancies: [], unchecked: [] } }
  const side = (name: 'north' | 'south') => ({ name, peer: name === 'north' ? 'south' : 'north' }) as Side
  const north: Books = {
    ...common,
    side: side('north'),
    balance: 123n,
    localBalance: -5_123n,
    paid: 7_000n,
    received: 2_000n,
    paidTokens: 7n,
    receivedTokens: 2n,
    channels: [channel({}), { ...closed, direction: 'in' }],
    tokens: 1_000_000_000n - 20n + 2n,
  }
  const south: Books = {
    ...common,
    side: side('south'),
    balance: -123n,
    localBalance: 5_123n,
    paid: 2_000n,
    received: 7_000n,
    paidTokens: 2n,
    receivedTokens: 7n,
    channels: [channel({ direction: 'in' }), closed],
    tokens: 1_000_000_000n - 2n + 4n,
  }
  const channels = new Map([
    ['a', { deposited: 20n, claimed: 4n }],
    ['b', { deposited: 5n, claimed: 2n }],
  ])
  return { books: [north, south], chain: { inContract: 16n, supply: 2_000_000_000n, channels } }
}

const FIGURES = [
  'balance',
  'localBalance',
  'paid',
  'received',
  'paidTokens',
  'receivedTokens',
  'tokens',
] as const

describe('the checks of the demonstration of settlement', () => {
  const faultsOf = ({ books, chain }: ReturnType<typeof consistent>) =>
    checkBooks(books, chain).filter(({ holds }) => !holds)

  it('hold for books that agree', () => {
    expect(faultsOf(consistent())).toEqual([])
  })

  it.each([0, 1].flatMap((at) => FIGURES.map((figure) => [at, figure] as const)))(
    'find one unit that is missing: node %i, %s',
    (at, figure) => {
      const found = consistent()
      found.books[at] = { ...found.books[at]!, [figure]: found.books[at]![figure] - 1n }
      expect(faultsOf(found)).not.toEqual([])
    },
  )

  it.each(
    [0, 1].flatMap((at) =>
      [0, 1].flatMap((index) =>
        (['deposit', 'claimed', 'unclaimed'] as const).map((figure) => [at, index, figure] as const),
      ),
    ),
  )('find one unit too many: node %i, channel %i, %s', (at, index, figure) => {
    const found = consistent()
    const books = found.books[at]!
    const channels = books.channels.map((one, position) =>
      position === index ? { ...one, [figure]: String(BigInt(one[figure]) + 1n) } : one,
    )
    found.books[at] = { ...books, channels }
    expect(faultsOf(found)).not.toEqual([])
  })

  it('find what the chain says otherwise, and what a reconciliation could not check', () => {
    for (const change of [{ inContract: 17n }, { supply: 1n }, { channels: new Map() }]) {
      const found = consistent()
      expect(faultsOf({ ...found, chain: { ...found.chain, ...change } })).not.toEqual([])
    }
    const found = consistent()
    const unchecked = [{ accountId: 'north', reason: 'no answer' }]
    const reconciliation = { ...found.books[1].reconciliation, unchecked }
    found.books[1] = { ...found.books[1], reconciliation }
    expect(faultsOf(found)).toHaveLength(1)
  })
})
