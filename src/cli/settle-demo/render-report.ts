import type { PaymentChannelView } from '../../admin/services.ts'
import { formatMoney } from '../format-amount.ts'
import { renderTable } from '../table.ts'
import type { Books, ChainBooks, Check } from './settle-books.ts'
import { TOKEN_SCALE, USD } from './settle-nodes.ts'

interface Found {
  readonly books: readonly [Books, Books]
  readonly chain: ChainBooks
  readonly checks: readonly Check[]
}

/** For people: the books side by side, and the verdict. */
export function renderReport({ books, chain, checks }: Found): string {
  const [north, south] = books
  const accounts = renderTable(books, [
    { title: 'node', value: ({ side }) => side.name },
    { title: 'account', value: ({ side }) => side.peer },
    { title: 'ledger balance', value: ({ balance }) => inUnits(balance), align: 'right' },
    { title: 'journal: paid', value: ({ paid }) => inUnits(paid), align: 'right' },
    { title: 'journal: received', value: ({ received }) => inUnits(received), align: 'right' },
  ])
  const rows = books.flatMap(({ channels, side }) =>
    channels.map((channel) => ({ ...channel, node: side.name })),
  )
  const channels = renderTable(rows, [
    { title: 'node', value: ({ node }) => node },
    { title: 'channel', value: ({ id }) => `${id.slice(0, 10)}…` },
    { title: 'way', value: ({ direction }) => direction },
    { title: 'state', value: ({ state }) => state },
    amountColumn('deposit'),
    amountColumn('claimed'),
    amountColumn('unclaimed'),
  ])
  const places = [
    { place: 'north', address: north.side.address, tokens: north.tokens },
    { place: 'south', address: south.side.address, tokens: south.tokens },
    { place: 'contract', address: '', tokens: chain.inContract },
    { place: 'all tokens', address: '', tokens: chain.supply },
  ]
  const onChain = renderTable(places, [
    { title: 'on the chain', value: ({ place }) => place },
    { title: 'address', value: ({ address }) => address },
    { title: 'tokens', value: ({ tokens }) => inTokens(tokens), align: 'right' },
  ])
  const legend =
    'Ledger: above zero, the node owes the account; what is left is less than a unit of the token.\n'
  return [accounts, channels, onChain, `${legend}${verdict(checks)}`].join('\n')
}

/** For programs. */
export function reportJson({ books, chain, checks }: Found): object {
  const nodes = books.map(({ side, ...rest }) => ({
    node: side.name,
    account: side.peer,
    address: side.address,
    ...rest,
  }))
  const { inContract, supply } = chain
  const faults = checks.filter(({ holds }) => !holds)
  return { event: 'completed', nodes, contract: { tokens: inContract, supply }, checks, faults }
}

function verdict(checks: readonly Check[]): string {
  const faults = checks.filter(({ holds }) => !holds)
  if (faults.length === 0)
    return `All ${checks.length} checks hold: ledgers, journals, channels and chain agree to the last unit.\n`
  return `It does NOT add up:\n${faults.map(({ left, right, what }) => `  ${what}: ${left} is not ${right}\n`).join('')}`
}

function amountColumn(field: 'deposit' | 'claimed' | 'unclaimed') {
  const value = (channel: PaymentChannelView) => inTokens(channel[field])
  return { title: field, value, align: 'right' } as const
}

function inUnits(amount: bigint): string {
  return formatMoney(String(amount), USD.scale, USD.code)
}

function inTokens(amount: bigint | string): string {
  return formatMoney(String(amount), TOKEN_SCALE, USD.code)
}
