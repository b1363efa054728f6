import { expect } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { type NodeBooks, readNodeBooks } from './node-books.ts'
import type { FlowPacket } from './packet-flow.ts'
import type { TwoAssetNode } from './two-asset-node.ts'

/** The payer was told R00 although the payee had fulfilled: the node stands in for the payer. */
export function isMadeGood({ outcome, fulfilled }: FlowPacket): boolean {
  return outcome === 'R00' && fulfilled
}

/**
 * After an outage of the books, once every packet has its answer: payers have paid for what they hold the preimage
 * of and for nothing else, payees have what they fulfilled, the node bears what payers were told R00 for.
 */
export async function expectExactBalances({ node, flows }: TwoAssetNode): Promise<NodeBooks> {
  const unanswered = flows.flatMap(({ sent }) =>
    [...sent.values()].filter(({ outcome }) => outcome === undefined),
  )
  expect(unanswered).toEqual([])
  await waitFor('nothing waits for the books', async () => {
    const peers = await node.admin<NodeBooks['held']>('GET', '/peers')
    return peers.every(({ reserved }) => reserved === '0')
  })
  const books = await readNodeBooks(node)
  expect(books.balanced).toBe(true)
  expect(books.pending).toBe(0n)
  const expected: Record<string, bigint> = {}
  let madeGood = 0n
  for (const { payerId, payeeId, sent } of flows) {
    const packets = [...sent.values()]
    const heard = packets.filter(({ outcome }) => outcome === 'fulfilled')
    const lost = packets.filter(isMadeGood)
    expected[payerId] = -sum(heard.map(({ amount }) => BigInt(amount)))
    expected[payeeId] = sum([...heard, ...lost].map(({ delivered }) => delivered!))
    madeGood += sum(lost.map(({ amount }) => BigInt(amount)))
  }
  expect(Object.fromEntries(books.clearing)).toEqual(expected)
  expect(books.own.get('loss:USD:6') ?? 0n).toBe(-madeGood)
  return books
}

function sum(amounts: bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}
