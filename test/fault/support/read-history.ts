import type { NodeProcess } from '../../support/node-process.ts'

const PAGE = 1_000

export interface HistoryEntry {
  cursor: string
  kind: string
  debitAccount: string
  creditAccount: string
  amount: string
  packetCount: number
  state: string
}

/** What booked packets took from an account, newest first, over the admin API page by page. */
export async function readPaidHistory(node: NodeProcess, accountId: string): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = []
  let before = ''
  for (;;) {
    const path = `/accounts/${accountId}/history?limit=${PAGE}${before}`
    const page = await node.admin<HistoryEntry[]>('GET', path)
    entries.push(...page)
    if (page.length < PAGE) break
    before = `&before=${page.at(-1)!.cursor}`
  }
  return entries.filter(
    ({ kind, state, debitAccount }) => kind === 'packets' && state === 'posted' && debitAccount === accountId,
  )
}
