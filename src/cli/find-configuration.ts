import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { VARIABLE_PREFIX } from '../config/env.ts'
import type { LoadOptions } from '../config/load.ts'
import { CliError } from './cli-error.ts'
import type { CliIo } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'

/** Where a configuration is looked for when none is named, in this order. */
export const CONFIGURATION_PLACES = ['causeway.yaml', 'data/config.yaml'] as const

export interface ConfigurationFlags {
  config?: string
  set?: string[]
}

/** What to load: the file named by `--config` or `CAUSEWAY_CONFIG`, or the first of the usual places that is there. */
export function findConfiguration(flags: ConfigurationFlags, io: CliIo): LoadOptions {
  const named = flags.config ?? nonEmpty(io.env.CAUSEWAY_CONFIG)
  const path = named ?? CONFIGURATION_PLACES.find((place) => existsSync(resolve(io.workingDirectory, place)))
  return { path, env: io.env, flags: flags.set ?? [], workingDirectory: io.workingDirectory }
}

/**
 * As {@link findConfiguration}, for commands that need a configuration: a file, or the environment alone.
 * @throws CliError when there is none
 */
export function requireConfiguration(flags: ConfigurationFlags, io: CliIo): LoadOptions {
  const options = findConfiguration(flags, io)
  const isInEnvironment = Object.keys(io.env).some((name) => name.startsWith(VARIABLE_PREFIX))
  if (options.path !== undefined || isInEnvironment) return options
  throw new CliError(
    ExitCode.configuration,
    `there is no configuration: neither ${CONFIGURATION_PLACES.join(' nor ')} is in ${io.workingDirectory}.\n` +
      `Write one with "${io.commandName} init", try a development node with "${io.commandName} start --dev", or name a file with --config`,
  )
}

export function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
