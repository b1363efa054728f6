import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { ensureAdminKey } from '../../config/admin-keys.ts'
import { ConfigError } from '../../config/config-error.ts'
import { type LoadedConfiguration, type LoadOptions, loadConfiguration } from '../../config/load.ts'
import { collectGarbageWhenGrown } from '../../lib/garbage-collection.ts'
import { checkParts } from '../check-parts.ts'
import { addConfigOptions, type CommandContext, type LocalFlags, openOutput } from '../command-context.ts'
import { DEVELOPMENT_CONFIG, ensureDevelopmentNode } from '../development-node.ts'
import type { ExitCode } from '../exit-code.ts'
import { CONFIGURATION_PLACES, requireConfiguration } from '../find-configuration.ts'
import { startupMessage } from '../startup-message.ts'

interface StartFlags extends LocalFlags {
  dev?: boolean
}

export function registerStart(program: Command, context: CommandContext): void {
  const command = program
    .command('start')
    .description('run the node until SIGINT or SIGTERM; a second signal stops it at once')
    .option(
      '--dev',
      `run a development node on this machine alone; makes ${DEVELOPMENT_CONFIG} when there is none`,
    )
  addConfigOptions(command).action(async (flags: StartFlags) => {
    const { io } = context
    const output = openOutput(flags, context)
    const { options, newTokens } = await prepare(flags, context)
    const loaded = await ensureAdminKey(loadConfiguration(options), options)
    const problems = await checkParts(loaded)
    if (problems.length > 0) throw new ConfigError(problems, loaded.path)
    for (const warning of loaded.warnings) output.warn(warning)
    collectGarbageWhenGrown()
    const runNode = await context.loaders.loadRunNode()
    const exitCode = await runNode(loaded, {
      reload: () => loadConfiguration(options),
      started: (info) => {
        if (output.json) {
          output.event({ event: 'started', ...info, newTokens: Object.fromEntries(newTokens) }, () => '')
          return
        }
        const isDevelopment = loaded.config.node.environment === 'development'
        const nodeFlags = flagsToFind(loaded, io.workingDirectory)
        const { commandName } = io
        output.note(`\n${startupMessage({ ...info, commandName, isDevelopment, newTokens, nodeFlags })}`)
      },
    })
    context.setExitCode(exitCode as ExitCode)
  })
}

interface Prepared {
  options: LoadOptions
  newTokens: ReadonlyMap<string, string>
}

async function prepare(flags: StartFlags, context: CommandContext): Promise<Prepared> {
  const { io } = context
  if (flags.dev !== true) return { options: requireConfiguration(flags, io), newTokens: new Map() }
  const path = resolve(io.workingDirectory, flags.config ?? DEVELOPMENT_CONFIG)
  const newTokens = await ensureDevelopmentNode(path)
  return { options: requireConfiguration({ ...flags, config: path }, io), newTokens }
}

/** Other commands look in the usual places of the working directory, and read the same environment. */
function flagsToFind(loaded: LoadedConfiguration, workingDirectory: string): string {
  if (loaded.path === undefined) return ''
  const path = relative(workingDirectory, loaded.path)
  const isUsual = (CONFIGURATION_PLACES as readonly string[]).includes(path.replaceAll('\\', '/'))
  return isUsual ? '' : ` --config ${path.includes(' ') ? `'${path}'` : path}`
}
