import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import { renderTable } from '../table.ts'

interface MetricView {
  name: string
  type: string
  help: string
}

export function registerMetrics(program: Command, context: CommandContext): void {
  const command = program
    .command('metrics')
    .description('the metrics of the node, as Prometheus reads them')
    .option('--list', 'only names, types and meanings')
  addNodeOptions(command).action(async (flags: NodeFlags & { list?: boolean }) => {
    const { client, output } = openNode(flags, context)
    const { status, text } = await client.page('/metrics')
    if (status !== 200) throw new CliError(ExitCode.failed, `${client.url}/metrics answered HTTP ${status}`)
    const metrics = listMetrics(text)
    if (flags.list === true || flags.json === true) output.result(metrics, () => render(metrics))
    else output.result(text, () => text)
  })
}

/** The `# HELP` and `# TYPE` lines of the Prometheus text format. */
function listMetrics(text: string): MetricView[] {
  const metrics = new Map<string, MetricView>()
  for (const line of text.split('\n')) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (name === undefined) continue
    const metric = metrics.get(name) ?? { name, type: 'untyped', help: '' }
    if (keyword === 'HELP') metric.help = rest ?? ''
    else metric.type = rest ?? ''
    metrics.set(name, metric)
  }
  return [...metrics.values()].sort((a, b) => a.name.localeCompare(b.name))
}

function render(metrics: MetricView[]): string {
  return renderTable(metrics, [
    { title: 'name', value: ({ name }) => name },
    { title: 'type', value: ({ type }) => type },
    { title: 'meaning', value: ({ help }) => help },
  ])
}
