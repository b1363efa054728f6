import type { Command } from 'commander'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'

interface ReloadView {
  applied: string[]
  needsRestart: string[]
}

export function registerReload(program: Command, context: CommandContext): void {
  const command = program
    .command('reload')
    .description('have the node read its configuration again; lists what needs a restart')
  addNodeOptions(command).action(async (flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const result = await client.call<ReloadView>('POST', '/config/reload', { body: {} })
    output.result(result, () => {
      if (result.applied.length + result.needsRestart.length === 0) return 'nothing has changed'
      return [
        ...result.applied.map((path) => `applied: ${path}`),
        ...result.needsRestart.map((path) => `needs a restart: ${path}`),
      ].join('\n')
    })
  })
}
