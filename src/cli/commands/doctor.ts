import type { Command } from 'commander'
import { adminKeys } from '../../config/admin-keys.ts'
import { ConfigError } from '../../config/config-error.ts'
import { type LoadedConfiguration, loadConfiguration } from '../../config/load.ts'
import { SecretError } from '../../config/secret-error.ts'
import { AdminClient } from '../admin-client.ts'
import { checkParts } from '../check-parts.ts'
import { CliError } from '../cli-error.ts'
import { addConfigOptions, type CommandContext, type LocalFlags, openOutput } from '../command-context.ts'
import { adminUrl } from '../connect.ts'
import { checkDataDirectory } from '../doctor/check-data-directory.ts'
import { checkEngineKeys } from '../doctor/check-engine-keys.ts'
import { checkMachine } from '../doctor/check-machine.ts'
import { checkPorts } from '../doctor/check-ports.ts'
import { checkTigerBeetle } from '../doctor/check-tigerbeetle.ts'
import { type Finding, failed, ok, warning } from '../doctor/finding.ts'
import { renderFindings } from '../doctor/render-findings.ts'
import { ExitCode } from '../exit-code.ts'
import { requireConfiguration } from '../find-configuration.ts'

const PROBE_MS_MAX = 3_000

export function registerDoctor(program: Command, context: CommandContext): void {
  const command = program
    .command('doctor')
    .description('check what the node needs: Node, clock, configuration, secrets, keys, ports, disk, ledger')
  addConfigOptions(command).action(async (flags: LocalFlags) => {
    const output = openOutput(flags, context)
    const findings = await examine(flags, context)
    const count = findings.filter(({ status }) => status === 'failed').length
    output.result({ healthy: count === 0, findings }, () =>
      renderFindings(findings, 'nothing is in the way of the node', output),
    )
    if (count > 0) context.setExitCode(ExitCode.failed)
  })
}

async function examine(flags: LocalFlags, context: CommandContext): Promise<Finding[]> {
  const { io } = context
  const machine = checkMachine(io.now(), process.versions.node)
  const loaded = load(flags, context)
  if ('check' in loaded) return [...machine, loaded]
  const isRunning = await probe(loaded)
  const plugins = await describePlugins(loaded)
  return [
    ...machine,
    ...describeConfiguration(loaded),
    ...plugins,
    ...(plugins.every(({ status }) => status === 'ok') ? await checkEngineKeys(loaded) : []),
    ...describeSecrets(loaded),
    ok('node process', isRunning ? 'runs' : 'does not run'),
    ...(await checkPorts(loaded.config, isRunning)),
    ...checkDataDirectory(loaded.config.node.dataDirectory, isRunning),
    ...(await checkTigerBeetle(loaded.config, io.env)),
  ]
}

function load(flags: LocalFlags, context: CommandContext): LoadedConfiguration | Finding {
  try {
    return loadConfiguration(requireConfiguration(flags, context.io))
  } catch (error) {
    if (error instanceof ConfigError)
      return failed('configuration', error.message, 'Correct these; then run doctor again')
    if (error instanceof SecretError) return failed('secrets', error.message, 'Then run doctor again')
    if (error instanceof CliError) return failed('configuration', error.message, 'Then run doctor again')
    throw error
  }
}

function describeConfiguration(loaded: LoadedConfiguration): Finding[] {
  return [
    ok('configuration', `${loaded.path ?? 'the environment alone'} is valid`),
    ...loaded.warnings.map((text) => warning('configuration', text, 'Look whether that is meant')),
  ]
}

async function describePlugins(loaded: LoadedConfiguration): Promise<Finding[]> {
  const problems = await checkParts(loaded)
  if (problems.length === 0) return [ok('plugins', 'take their options and those of every peer')]
  return problems.map(({ path, message }) =>
    failed('plugins', `${path}: ${message}`, 'Correct the configuration'),
  )
}

function describeSecrets(loaded: LoadedConfiguration): Finding[] {
  if (adminKeys(loaded).length === 0) return [ok('secrets', 'no admin key yet; the first start makes one')]
  return [ok('secrets', `every reference leads to a secret; ${loaded.secrets.file} is private`)]
}

/** Whether something that answers health checks is there already. */
async function probe(loaded: LoadedConfiguration): Promise<boolean> {
  if (loaded.config.admin.port === 0) return false
  const client = new AdminClient({
    url: adminUrl(loaded),
    token: async () => '',
    timeoutMs: PROBE_MS_MAX,
    startCommand: '',
  })
  try {
    const { text } = await client.page('/health/live')
    return text.includes('"status"')
  } catch {
    return false
  }
}
