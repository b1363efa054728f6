import type { JournalRecord } from '../fault/support/ledger-journal.ts'
import type { LoadPacket } from './packet-load.ts'
import type { ProblemLog } from './problem-log.ts'
import type { SoakScene } from './soak-scene.ts'

/**
 * Finds every packet in the ledger of every node that it passed. One that the payer holds the preimage of was booked
 * everywhere, once. One whose answer was lost on the way back was booked by the nodes next to the payee and by no other:
 * nobody has paid and not been paid for it. Nothing else was booked.
 */
export function checkPackets(
  scene: SoakScene,
  packets: readonly LoadPacket[],
  { journals, problems }: { journals: ReadonlyMap<string, readonly JournalRecord[]>; problems: ProblemLog },
): void {
  const booked = new Map(
    [...journals].map(([node, records]) => [node, countRecords(records, node, problems)]),
  )
  for (const packet of packets) {
    const { amount, from, isFulfilled, kind, outcome, to } = packet
    const path = scene.path(from, to)
    const found = path.map((node, at) => {
      const before = path[at - 1]
      const next = path[at + 1]
      const payer = before === undefined ? kind : `${before}-${kind}`
      const payee = next === undefined ? kind : `${next}-${kind}`
      const counts = booked.get(node)!
      const key = keyOf(payer, payee, amount)
      const count = counts.get(key) ?? 0
      counts.delete(key)
      return count
    })
    const isEverywhere = found.every((count) => count === 1)
    const isFromSomewhereOn = found.every((count, at) => count <= 1 && count >= (found[at - 1] ?? 0))
    const isRight = outcome === 'fulfilled' ? isEverywhere : isFromSomewhereOn
    const isPaidForNothing = !isFulfilled && found.some((count) => count > 0)
    if (!isRight || isPaidForNothing) problems.add('a packet is booked wrongly', { ...packet, path, found })
  }
  for (const [node, counts] of booked) {
    if (counts.size > 0)
      problems.add(`node ${node} has booked what nobody sent`, [...counts.keys()].slice(0, 5))
  }
}

function countRecords(
  records: readonly JournalRecord[],
  node: string,
  problems: ProblemLog,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { compensation, inAmount, outAmount, payee, payer } of records) {
    if (compensation) continue
    if (inAmount !== outAmount) problems.add(`node ${node} changed a packet from ${inAmount} to ${outAmount}`)
    const key = keyOf(payer, payee, inAmount)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

function keyOf(payer: string, payee: string, amount: bigint): string {
  return `${payer} ${payee} ${amount}`
}
