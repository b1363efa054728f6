import type { JournalRecord } from '../fault/support/ledger-journal.ts'

/** What packets put into each account, less what they took; under '' what the node itself made good. */
export function packetSums(records: readonly JournalRecord[]): Map<string, bigint> {
  const sums = new Map<string, bigint>()
  const add = (id: string, amount: bigint) => void sums.set(id, (sums.get(id) ?? 0n) + amount)
  for (const { compensation, inAmount, outAmount, payee, payer } of records) {
    if (compensation) {
      add(payer, inAmount)
      add('', inAmount)
    } else {
      add(payer, -inAmount)
      add(payee, outAmount)
    }
  }
  return sums
}
