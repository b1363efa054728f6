import { Argument, type Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { renderCompletion, SHELLS, type Shell } from '../render-completion.ts'

export function registerCompletion(program: Command, context: CommandContext): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nbash:  source <(causeway completion bash)\nzsh:   source <(causeway completion zsh)\nfish:  causeway completion fish | source',
    )
    .action((shell: Shell) => {
      context.io.stdout.write(renderCompletion(program, shell))
    })
}
