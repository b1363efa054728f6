import { expect } from 'vitest'
import type { NodeProcess } from '../../support/node-process.ts'
import type { AuditSums } from './journal-audit.ts'
import { type NodeBooks, readNodeBooks } from './node-books.ts'

/**
 * What a node that has just started must show after a crash: debits equal credits, nothing is set aside or pending,
 * and every balance is the sum of the packets in the books, no more and no less.
 */
export async function expectSoundBooks(node: NodeProcess, sums: AuditSums): Promise<NodeBooks> {
  const books = await readNodeBooks(node)
  const paid = (id: string) => sums.paid.get(id) ?? 0n
  const earned = (id: string) => sums.earned.get(id) ?? 0n
  expect(books.balanced).toBe(true)
  expect(books.pending).toBe(0n)
  expect(
    books.held.filter(({ reserved, packetsInFlight }) => reserved !== '0' || packetsInFlight !== 0),
  ).toEqual([])
  expect(Object.fromEntries(books.clearing)).toEqual({
    alice: -paid('alice'),
    bob: earned('bob'),
    carol: -paid('carol'),
    dave: earned('dave'),
  })
  expect(books.own.get('revenue:USD:6') ?? 0n).toBe(paid('alice') - earned('bob'))
  expect(books.own.get('fx:USD:6') ?? 0n).toBe(paid('carol'))
  expect(books.own.get('fx:XRP:9') ?? 0n).toBe(-earned('dave'))
  expect(books.own.get('loss:USD:6') ?? 0n).toBe(0n)
  return books
}
