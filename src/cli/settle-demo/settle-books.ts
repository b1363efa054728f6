import type { Hex } from 'viem'
import type {
  LocalAccountView,
  PaymentChannelView,
  PeerView,
  ReconciliationView,
  SettlementView,
} from '../../admin/services.ts'
import type { DemoChain } from './demo-chain.ts'
import { MINTED, type Side, TOKEN_SCALE, USD } from './settle-nodes.ts'

const PAGE = { limit: '1000' }
const UNITS_PER_TOKEN_UNIT = 10n ** BigInt(USD.scale - TOKEN_SCALE)

/** Everything that one node and the chain say of its account with the other. */
export interface Books {
  readonly side: Side
  /** Of the account of the peer: what the node owes it. Units of the node's books, as all below but the tokens. */
  readonly balance: bigint
  /** Of the node's own account. */
  readonly localBalance: bigint
  /** Sums of the journal: settlements that ended, and what they were in tokens. */
  readonly paid: bigint
  readonly received: bigint
  readonly paidTokens: bigint
  readonly receivedTokens: bigint
  readonly channels: readonly PaymentChannelView[]
  readonly reconciliation: ReconciliationView
  /** Tokens at the node's address. */
  readonly tokens: bigint
}

/** What the chain itself says. Tokens. */
export interface ChainBooks {
  readonly inContract: bigint
  readonly supply: bigint
  readonly channels: ReadonlyMap<string, { deposited: bigint; claimed: bigint }>
}

export async function readBooks(side: Side, chain: DemoChain): Promise<Books> {
  const { client } = side.node
  const [reconciliation, settlements, peers, locals, channels, tokens] = await Promise.all([
    client.call<ReconciliationView>('POST', '/settlements/reconcile', { timeoutMs: 60_000 }),
    client.get<SettlementView[]>('/settlements', PAGE),
    client.get<PeerView[]>('/peers'),
    client.get<LocalAccountView[]>('/local-accounts'),
    client.get<PaymentChannelView[]>('/channels'),
    chain.balanceOf(side.address),
  ])
  const ended = (direction: string, state: string) =>
    settlements.filter((one) => one.direction === direction && one.state === state)
  const [out, credits] = [ended('out', 'settled'), ended('in', 'booked')]
  return {
    side,
    balance: BigInt(peers.find(({ id }) => id === side.peer)!.balance),
    localBalance: BigInt(locals[0]!.balance),
    paid: sumOf(out, ({ amount }) => amount),
    received: sumOf(credits, ({ amount }) => amount),
    paidTokens: sumOf(out, tokensOf),
    receivedTokens: sumOf(credits, tokensOf),
    channels,
    reconciliation,
    tokens,
  }
}

export async function readChain(
  books: readonly Books[],
  chain: DemoChain,
  contract: Hex,
): Promise<ChainBooks> {
  const ids = [...new Set(books.flatMap(({ channels }) => channels.map(({ id }) => id)))]
  const channels = new Map<string, { deposited: bigint; claimed: bigint }>()
  for (const id of ids) channels.set(id, await chain.channel(contract, id as Hex))
  return { inContract: await chain.balanceOf(contract), supply: await chain.totalSupply(), channels }
}

/** One thing that must hold, and whether it does. */
export interface Check {
  readonly what: string
  readonly left: bigint
  readonly right: bigint
  readonly holds: boolean
}

/** What must hold between ledgers, journals, channels and chain: to the last unit. */
export function checkBooks(pair: readonly [Books, Books], chain: ChainBooks): Check[] {
  const [north, south] = pair
  const checks: Check[] = []
  const check = (what: string, left: bigint, right: bigint) => {
    checks.push({ what, left, right, holds: left === right })
  }
  check('what north owes south is what south is owed', north.balance, -south.balance)
  for (const [own, other] of [
    [north, south],
    [south, north],
  ] as const) {
    const name = own.side.name
    check(
      `${name}: ledger = packets - paid + received`,
      own.balance,
      own.received - own.paid - own.localBalance,
    )
    check(`${name}: paid = tokens paid`, own.paid, own.paidTokens * UNITS_PER_TOKEN_UNIT)
    check(`${name}: paid = received by ${other.side.name}`, own.paidTokens, other.receivedTokens)
    const outgoing = own.channels.filter(({ direction }) => direction === 'out')
    const incoming = other.channels.filter(({ direction }) => direction === 'in')
    check(`${name}: paid = vouchers given`, own.paidTokens, sumOf(outgoing, voucherOf))
    check(
      `${name}: vouchers given = vouchers that ${other.side.name} has`,
      sumOf(outgoing, voucherOf),
      sumOf(incoming, voucherOf),
    )
    for (const [field, view] of [
      ['deposited', 'deposit'],
      ['claimed', 'claimed'],
    ] as const) {
      const onChain = sumOf(outgoing, ({ id }) => chain.channels.get(id)?.[field] ?? 0n)
      check(
        `${name}: ${view} in its books = on the chain`,
        sumOf(outgoing, (one) => one[view]),
        onChain,
      )
      check(
        `${name}: ${view} in the books of ${other.side.name} = on the chain`,
        sumOf(incoming, (one) => one[view]),
        onChain,
      )
    }
    check(
      `${name}: tokens = at first - deposited + back + claimed`,
      own.tokens,
      MINTED -
        sumOf(outgoing, lockedOrPaid) +
        sumOf(
          own.channels.filter(({ direction }) => direction === 'in'),
          ({ claimed }) => claimed,
        ),
    )
    check(`${name}: differences found by its reconciliation`, differencesOf(own.reconciliation), 0n)
  }
  const locked = sumOf(
    [...north.channels, ...south.channels].filter(({ direction }) => direction === 'out'),
    lockedOf,
  )
  check('tokens in the contract = deposited and not claimed', chain.inContract, locked)
  check('tokens of all three = all tokens', north.tokens + south.tokens + chain.inContract, chain.supply)
  return checks
}

function voucherOf({ claimed, unclaimed }: PaymentChannelView): bigint {
  return BigInt(claimed) + BigInt(unclaimed)
}

/** What a channel holds; a closed one has given the rest back. */
function lockedOf({ claimed, deposit, state }: PaymentChannelView): bigint {
  return state === 'closed' ? 0n : BigInt(deposit) - BigInt(claimed)
}

function lockedOrPaid(channel: PaymentChannelView): bigint {
  return lockedOf(channel) + BigInt(channel.claimed)
}

function tokensOf({ quantity }: SettlementView): bigint {
  return BigInt(quantity.amount) * 10n ** BigInt(TOKEN_SCALE - quantity.scale)
}

/** Accounts that were not checked count as well. */
function differencesOf({ discrepancies, unchecked }: ReconciliationView): bigint {
  return BigInt(discrepancies.length + unchecked.length)
}

function sumOf<T>(entries: readonly T[], amountOf: (entry: T) => bigint | string | undefined): bigint {
  return entries.reduce((sum, entry) => sum + BigInt(amountOf(entry) ?? 0), 0n)
}
