import { type Command, InvalidArgumentError, Option } from 'commander'
import type { AdminClient } from './admin-client.ts'
import type { CliIo, CliLoaders } from './cli-io.ts'
import { type ConnectFlags, connect, REQUEST_TIMEOUT_SECONDS } from './connect.ts'
import type { ExitCode } from './exit-code.ts'
import type { ConfigurationFlags } from './find-configuration.ts'
import { Output } from './output.ts'

/** What a command works with. */
export interface CommandContext {
  io: CliIo
  loaders: CliLoaders
  /** How the process ends when the command returns; `ok` unless set. */
  setExitCode(code: ExitCode): void
}

export interface JsonFlags {
  json?: boolean
}

export type NodeFlags = ConnectFlags & JsonFlags
export type LocalFlags = ConfigurationFlags & JsonFlags

/** Longest deadline that can be asked for, seconds. */
const TIMEOUT_SECONDS_MAX = 3_600

export function addJsonOption(command: Command): Command {
  return command.option('--json', 'print the result as JSON')
}

/** `--config`, `--set` and `--json`, for commands that read the configuration. */
export function addConfigOptions(command: Command): Command {
  return addJsonOption(
    command
      .option(
        '-c, --config <file>',
        'configuration file (or CAUSEWAY_CONFIG); default: causeway.yaml, then data/config.yaml',
      )
      .option('--set <path=value>', 'set a value over file and environment; may be repeated', collect),
  )
}

/** The options of commands that talk to a running node. */
export function addNodeOptions(command: Command): Command {
  return addJsonOption(
    command
      .option('-c, --config <file>', 'configuration file of the node (or CAUSEWAY_CONFIG)')
      .option('--url <url>', 'admin API of the node (or CAUSEWAY_URL); default: from the configuration')
      .option('--token <token>', 'operator token; others can see it, prefer CAUSEWAY_TOKEN')
      .addOption(
        new Option('--timeout <seconds>', 'deadline of one request')
          .argParser(wholeNumber(1, TIMEOUT_SECONDS_MAX))
          .default(REQUEST_TIMEOUT_SECONDS),
      ),
  )
}

/** The node that the flags name, and where results go. */
export function openNode(flags: NodeFlags, context: CommandContext): { client: AdminClient; output: Output } {
  const output = openOutput(flags, context)
  return { client: connect(flags, context.io, output), output }
}

export function openOutput(flags: JsonFlags, context: CommandContext): Output {
  return new Output(context.io, flags.json === true)
}

/** Parser of an option or argument that is a whole number in a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`)
  }
}

/** Collects an option that may be repeated. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text]
}
