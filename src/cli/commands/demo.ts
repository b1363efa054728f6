import type { Command } from 'commander'
import { addJsonOption, type CommandContext, type JsonFlags } from '../command-context.ts'
import type { ExitCode } from '../exit-code.ts'

export function registerDemo(program: Command, context: CommandContext): void {
  const command = program
    .command('demo')
    .description(
      'three nodes on this machine, a payment across them in two assets, and the balances after it',
    )
  addJsonOption(command).action(async (flags: JsonFlags) => {
    const runDemo = await context.loaders.loadRunDemo()
    context.setExitCode((await runDemo({ json: flags.json === true })) as ExitCode)
  })
}
