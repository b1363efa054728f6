import { readLedgerJournal } from '../fault/support/ledger-journal.ts'
import { type NodeBooks, readNodeBooks } from '../fault/support/node-books.ts'
import { checkChain } from './check-chain.ts'
import { checkEngineBooks } from './check-engine-books.ts'
import { checkPackets } from './check-packets.ts'
import { MONEY_KINDS, toToken } from './money-kinds.ts'
import type { Report } from './operator-verbs.ts'
import type { LoadPacket } from './packet-load.ts'
import { packetSums } from './packet-sums.ts'
import type { ProblemLog } from './problem-log.ts'
import { paidAndCredited, type SettlementSum, sumOf } from './settlement-sums.ts'
import type { SettlementRow, SoakNode } from './soak-node.ts'
import type { SoakScene } from './soak-scene.ts'

/** What a node said of itself before it was stopped. */
export interface NodeAccount {
  readonly books: NodeBooks
  readonly outgoing: readonly SettlementRow[]
  readonly incoming: readonly SettlementRow[]
}

/** One kind of money at one node, in units of the account where nothing else is said. */
export interface FinalRow {
  readonly node: string
  readonly kind: string
  readonly paid: SettlementSum
  readonly received: SettlementSum
  /** Clearing balances of all accounts of the kind together. */
  readonly clearing: bigint
  /** In the wallet, in units of the token, less what was there at first. */
  readonly gained: bigint
}

interface EngineRow {
  readonly name: string
  readonly running: boolean
  readonly trouble?: string
  readonly open: number
  readonly suspended: number
}

const STOP_EXIT_CODE = 0

/**
 * Stops the nodes and compares, to the last unit: packets as their ends know them, ledgers, journals, engine books,
 * wallets, and the contract. All channels are closed.
 */
export async function compareFinalBooks(
  scene: SoakScene,
  packets: readonly LoadPacket[],
  problems: ProblemLog,
): Promise<FinalRow[]> {
  const accounts = new Map<string, NodeAccount>()
  for (const node of scene.nodes) accounts.set(node.name, await hear(node, problems))
  for (const { credited, paid, what } of await paidAndCredited(scene)) {
    problems.expectSame(`${what}, credited`, credited, paid)
  }
  for (const node of scene.nodes) {
    const code = await node.stop()
    if (code !== STOP_EXIT_CODE) problems.add(`node ${node.name} ended with ${code}`)
  }
  const journals = new Map(
    scene.nodes.map(({ name, process }) => [
      name,
      readLedgerJournal(process.dataDirectory).flatMap(({ records }) => records),
    ]),
  )
  checkPackets(scene, packets, { journals, problems })
  const gains = await checkChain(scene, accounts, problems)
  const rows: FinalRow[] = []
  for (const { name, process } of scene.nodes) {
    const { books, incoming, outgoing } = accounts.get(name)!
    const packetsOf = packetSums(journals.get(name)!)
    for (const kind of MONEY_KINDS) {
      const peers = scene.neighbours(name).map((other) => `${other}-${kind.name}`)
      let clearing = 0n
      for (const id of [...peers, kind.name]) {
        const received = sumOf(incoming.filter(({ accountId }) => accountId === id)).units
        const paid = sumOf(outgoing.filter(({ accountId }) => accountId === id)).units
        const balance = books.clearing.get(id)!
        clearing += balance
        const expected = (packetsOf.get(id) ?? 0n) + received - paid
        problems.expectSame(`balance of ${id} at node ${name}`, balance, expected)
      }
      const paid = sumOf(outgoing.filter(({ engine }) => engine === kind.name))
      const received = sumOf(incoming.filter(({ engine }) => engine === kind.name))
      const { code, scale } = kind.asset
      const settlement = `settlement:${code}:${scale}:${kind.name}`
      const moved = books.own.get(settlement) ?? 0n
      problems.expectSame(`${settlement} at node ${name}`, moved, paid.units - received.units)
      for (const sum of [paid, received]) {
        problems.expectSame(`${kind.name} of node ${name} on the chain`, sum.token, toToken(kind, sum.units))
      }
      checkEngineBooks({ node: name, kind, dataDirectory: process.dataDirectory, paid, received, problems })
      rows.push({
        node: name,
        kind: kind.name,
        paid,
        received,
        clearing,
        gained: gains.get(name)!.get(kind)!,
      })
    }
    // Nothing is earned, exchanged or lost here: other accounts of the node stay at what packets were made good with.
    const own = [...books.own].filter(([id]) => !id.startsWith('settlement:'))
    const others = own.reduce((sum, [, balance]) => sum + balance, 0n)
    problems.expectSame(`other accounts of node ${name}`, others, -(packetsOf.get('') ?? 0n))
  }
  return rows
}

/** What a node says of itself, and whether it is content. */
async function hear(node: SoakNode, problems: ProblemLog): Promise<NodeAccount> {
  const { name } = node
  const books = await readNodeBooks(node.process)
  if (!books.balanced) problems.add(`debits and credits of node ${name} differ`)
  problems.expectSame(`what is pending at node ${name}`, books.pending, 0n)
  const report = await node.admin<Report>('POST', '/settlements/reconcile')
  if (report.discrepancies.length > 0 || report.unchecked.length > 0) {
    problems.add(`node ${name} is not reconciled`, report)
  }
  const suspense = await node.admin<unknown[]>('GET', '/settlements/suspense')
  if (suspense.length > 0) problems.add(`node ${name} has money in SUSPENSE`, suspense)
  for (const engine of await node.admin<EngineRow[]>('GET', '/settlements/engines')) {
    const isContent = engine.running && engine.trouble === undefined && engine.open + engine.suspended === 0
    if (!isContent) problems.add(`an engine of node ${name} is not content`, engine)
  }
  return { books, outgoing: await node.settlements('out'), incoming: await node.settlements('in') }
}
