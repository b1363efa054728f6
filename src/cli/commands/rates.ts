import type { Command } from 'commander'
import type { RateStatus } from '../../rates/rate-provider.ts'
import { CliError } from '../cli-error.ts'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import { renderFields } from '../output.ts'
import { renderTable } from '../table.ts'

export function registerRates(program: Command, context: CommandContext): void {
  const command = program
    .command('rates')
    .description('exchange rates in effect; with two assets, what one buys of the other')
    .argument('[from]', 'asset code')
    .argument('[to]', 'asset code')
  addNodeOptions(command).action(
    async (from: string | undefined, to: string | undefined, flags: NodeFlags) => {
      if (from !== undefined && to === undefined) {
        throw new CliError(ExitCode.usage, `name two assets: causeway rates ${from} <to>`)
      }
      const { client, output } = openNode(flags, context)
      if (from !== undefined) {
        const quote = await client.get<{ rate: string }>('/rates/quote', { from, to })
        output.result(quote, () => `1 ${from} buys ${quote.rate} ${to}, before spread`)
        return
      }
      const status = await client.get<RateStatus>('/rates')
      output.result(status, () => renderStatus(status))
    },
  )
}

function renderStatus(status: RateStatus): string {
  const fields = renderFields([
    ['source', status.source],
    ['base', status.baseAsset],
    ['updated', status.updatedAtMs === undefined ? 'never' : new Date(status.updatedAtMs).toISOString()],
    ['stale', status.stale ? 'YES: packets between assets are refused (T00)' : 'no'],
    ['last error', status.lastError],
  ])
  const prices = Object.entries(status.prices).sort(([a], [b]) => a.localeCompare(b))
  const table = renderTable(prices, [
    { title: 'asset', value: ([code]) => code },
    { title: `price in ${status.baseAsset}`, value: ([, price]) => price, align: 'right' },
  ])
  return `${fields}\n${table}`
}
