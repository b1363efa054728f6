import type { Command } from 'commander'
import { addJsonOption, type CommandContext, type JsonFlags } from '../command-context.ts'
import type { ExitCode } from '../exit-code.ts'

interface DemoFlags extends JsonFlags {
  settle?: boolean
}

export function registerDemo(program: Command, context: CommandContext): void {
  const command = program
    .command('demo')
    .description(
      'three nodes on this machine, a payment across them in two assets, and the balances after it',
    )
  addJsonOption(
    command.option(
      '--settle',
      'instead: two nodes that settle with each other on an EVM chain on this machine, and all their books after it',
    ),
  ).action(async (flags: DemoFlags) => {
    const { loadRunDemo, loadRunSettleDemo } = context.loaders
    const runDemo = await (flags.settle === true ? loadRunSettleDemo() : loadRunDemo())
    context.setExitCode((await runDemo({ json: flags.json === true })) as ExitCode)
  })
}
