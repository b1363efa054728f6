import type { Command } from 'commander'
import {
  addNodeOptions,
  type CommandContext,
  type NodeFlags,
  openNode,
  wholeNumber,
} from '../command-context.ts'
import { renderTable } from '../table.ts'

interface HistoryView {
  cursor: string
  id: string
  kind: string
  debitAccount: string
  creditAccount: string
  amount: string
  packetCount: number
  state: string
  timestampMs: number
}

export function registerHistory(program: Command, context: CommandContext): void {
  const command = program
    .command('history')
    .description('the transfers of an account, newest first')
    .argument('<account>', 'id of a peer or local account')
    .option('--limit <count>', 'how many, 1 to 1000', wholeNumber(1, 1000), 50)
    .option('--before <cursor>', 'the page before: the cursor printed at the end of a page')
  addNodeOptions(command).action(
    async (account: string, flags: NodeFlags & { limit: number; before?: string }) => {
      const { client, output } = openNode(flags, context)
      const entries = await client.get<HistoryView[]>(`/accounts/${encodeURIComponent(account)}/history`, {
        limit: String(flags.limit),
        before: flags.before,
      })
      const last = entries.length === flags.limit ? entries.at(-1) : undefined
      output.result(entries, () => {
        if (entries.length === 0) return `no transfers of ${account} yet`
        const next = last === undefined ? '' : `\nolder ones: --before ${last.cursor}\n`
        return `${render(entries)}${next}`
      })
    },
  )
}

function render(entries: HistoryView[]): string {
  return renderTable(entries, [
    { title: 'time', value: ({ timestampMs }) => new Date(timestampMs).toISOString() },
    { title: 'kind', value: ({ kind }) => kind },
    { title: 'debit', value: ({ debitAccount }) => debitAccount },
    { title: 'credit', value: ({ creditAccount }) => creditAccount },
    { title: 'amount', value: ({ amount }) => amount, align: 'right' },
    {
      title: 'packets',
      value: ({ packetCount }) => (packetCount === 0 ? '' : String(packetCount)),
      align: 'right',
    },
    { title: 'state', value: ({ state }) => state },
    { title: 'id', value: ({ id }) => id },
  ])
}
