import type { Command } from 'commander'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import { formatMoney } from '../format-amount.ts'
import type { Output } from '../output.ts'
import { type Column, renderTable } from '../table.ts'

/** `AccountBalance` of the ledger as JSON: amounts are decimal strings. */
interface BalanceView {
  id: string
  kind: string
  assetCode: string
  assetScale: number
  debitsPosted: string
  creditsPosted: string
  balance: string
}

interface SelfCheckView {
  balanced: boolean
  assets: { assetCode: string; assetScale: number; debits: string; credits: string }[]
}

export function registerBalances(program: Command, context: CommandContext): void {
  const command = program
    .command('balances')
    .description('what is owed to and by every account, and whether the books add up')
    .option('--all', 'all accounts of the ledger, not only those of peers')
  addNodeOptions(command).action(async (flags: NodeFlags & { all?: boolean }) => {
    const { client, output } = openNode(flags, context)
    const kind = flags.all === true ? undefined : 'clearing'
    const shown = await client.list<BalanceView>('/accounts', { kind })
    const check = await client.get<SelfCheckView>('/ledger/self-check')
    output.result({ accounts: shown, selfCheck: check }, () =>
      render(shown, check, output, flags.all === true),
    )
    if (!check.balanced) context.setExitCode(ExitCode.failed)
  })
}

function render(balances: BalanceView[], check: SelfCheckView, output: Output, isDetailed: boolean): string {
  const money = (value: (row: BalanceView) => string) => (row: BalanceView) =>
    formatMoney(value(row), row.assetScale, row.assetCode)
  const details: Column<BalanceView>[] = [
    { title: 'kind', value: ({ kind }) => kind },
    { title: 'debits', value: money((row) => row.debitsPosted), align: 'right' },
    { title: 'credits', value: money((row) => row.creditsPosted), align: 'right' },
  ]
  const table = renderTable(balances, [
    { title: 'account', value: ({ id }) => id },
    ...(isDetailed ? details : []),
    { title: 'balance', value: money((row) => row.balance), align: 'right' },
  ])
  const verdict = check.balanced
    ? output.paint('green', 'debits equal credits in every asset')
    : output.paint('red', 'DEBITS DO NOT EQUAL CREDITS: stop the node and look at the ledger')
  const hint = 'above zero: we owe the account; below zero: it owes us'
  return `${table}\n${hint}\n${verdict}`
}
