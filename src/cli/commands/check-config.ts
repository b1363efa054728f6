import type { Command } from 'commander'
import { ConfigError } from '../../config/config-error.ts'
import { loadConfiguration } from '../../config/load.ts'
import { redact } from '../../config/redact.ts'
import { checkParts } from '../check-parts.ts'
import { addConfigOptions, type CommandContext, type LocalFlags, openOutput } from '../command-context.ts'
import { requireConfiguration } from '../find-configuration.ts'
import { toJson } from '../output.ts'

export function registerCheckConfig(program: Command, context: CommandContext): void {
  const command = program
    .command('check-config')
    .description('check the configuration and its secrets, as start does, and show what is in effect')
    .option('--show', 'print the whole effective configuration, secrets as references')
  addConfigOptions(command).action(async (flags: LocalFlags & { show?: boolean }) => {
    const output = openOutput(flags, context)
    const loaded = loadConfiguration(requireConfiguration(flags, context.io))
    const problems = await checkParts(loaded)
    if (problems.length > 0) throw new ConfigError(problems, loaded.path)
    const { path, overridden, warnings, config } = loaded
    const shown = redact(config)
    for (const warning of warnings) output.warn(warning)
    output.result({ valid: true, path, overridden, warnings, config: shown }, () => {
      const lines = [
        `${path ?? 'environment alone'}: ${output.paint('green', 'valid')}`,
        `${config.peers.length} peers, ${config.accounts.length} local accounts, ledger ${config.ledger.backend} (${config.ledger.mode})`,
        ...overridden.map((entry) => `set over the file: ${entry}`),
        ...(flags.show === true ? [toJson(shown, 2)] : []),
      ]
      return lines.join('\n')
    })
  })
}
