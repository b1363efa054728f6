import { Argument, type Command } from 'commander'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'

export function registerLogLevel(program: Command, context: CommandContext): void {
  const command = program
    .command('log-level')
    .description('show what the node logs, or change it until it stops')
    .addArgument(new Argument('[level]', 'new level').choices(['error', 'warn', 'info', 'debug']))
  addNodeOptions(command).action(async (level: string | undefined, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const result =
      level === undefined
        ? await client.get<{ level: string }>('/log-level')
        : await client.call<{ level: string }>('PUT', '/log-level', { body: { level } })
    output.result(result, () => result.level)
  })
}
