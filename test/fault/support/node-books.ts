import type { Balance, NodeProcess } from '../../support/node-process.ts'

export interface FullBalance extends Balance {
  debitsPending: string
  creditsPending: string
}

export interface NodeBooks {
  balanced: boolean
  /** Clearing accounts: credits minus debits, without the credit line. */
  clearing: Map<string, bigint>
  /** The node's own accounts by name, e.g. `revenue:USD:6`. */
  own: Map<string, bigint>
  /** Sum of everything pending. */
  pending: bigint
  /** Clearing accounts: debits that are pending. */
  debitsPending: Map<string, bigint>
  /** Per peer, what is set aside and in flight. */
  held: { id: string; reserved: string; packetsInFlight: number }[]
}

/** The books of a running node, over its admin API. */
export async function readNodeBooks(node: NodeProcess): Promise<NodeBooks> {
  const [check, balances, held] = await Promise.all([
    node.admin<{ balanced: boolean; assets: { debits: string; credits: string }[] }>(
      'GET',
      '/ledger/self-check',
    ),
    node.admin<FullBalance[]>('GET', '/accounts'),
    node.admin<NodeBooks['held']>('GET', '/peers'),
  ])
  const clearing = balances.filter(({ kind }) => kind === 'clearing')
  const own = balances.filter(({ kind }) => kind !== 'clearing' && kind !== 'line')
  const byId = (list: FullBalance[]) => new Map(list.map(({ id, balance }) => [id, BigInt(balance)]))
  return {
    balanced: check.balanced && check.assets.every(({ debits, credits }) => debits === credits),
    clearing: byId(clearing),
    own: byId(own),
    pending: balances.reduce(
      (sum, each) => sum + BigInt(each.debitsPending) + BigInt(each.creditsPending),
      0n,
    ),
    debitsPending: new Map(clearing.map(({ id, debitsPending }) => [id, BigInt(debitsPending)])),
    held: held.map(({ id, reserved, packetsInFlight }) => ({ id, reserved, packetsInFlight })),
  }
}
