import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { DEFAULT_ADMIN_KEY_NAME } from '../../config/admin-keys.ts'
import { ConfigError } from '../../config/config-error.ts'
import { generateToken } from '../../config/generate-token.ts'
import { loadConfiguration } from '../../config/load.ts'
import { renderSample } from '../../config/render-sample.ts'
import { writeSecrets } from '../../config/secrets-file.ts'
import { writeFileAtomic } from '../../config/write-file-atomic.ts'
import { CliError } from '../cli-error.ts'
import { addJsonOption, type CommandContext, type JsonFlags, openOutput } from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'

interface InitFlags extends JsonFlags {
  id: string
  address: string
  force?: boolean
}

/** The configuration is not secret: anyone may read it. */
const CONFIG_FILE_MODE = 0o644

export function registerInit(program: Command, context: CommandContext): void {
  const command = program
    .command('init')
    .description('write a commented configuration and a private secrets file beside it')
    .argument('[file]', 'configuration file to write', 'causeway.yaml')
    .option('--id <name>', 'name of the node', 'connector')
    .option('--address <address>', 'ILP address of the node', 'g.connector')
    .option('--force', 'replace files that are there; secrets are lost')
  addJsonOption(command).action(async (file: string, flags: InitFlags) => {
    const path = resolve(context.io.workingDirectory, file)
    const secretsPath = resolve(dirname(path), SECRETS_FILE)
    refuseExisting([path, secretsPath], flags.force === true)
    checkFlags(flags, dirname(path))
    await write(path, secretsPath, flags)
    const command = context.io.commandName
    const where = basename(path) === 'causeway.yaml' ? '' : ` --config ${file}`
    openOutput(flags, context).result({ config: path, secrets: secretsPath }, () =>
      [
        `wrote ${path}`,
        `wrote ${secretsPath} (mode 0600) with a new admin key: keep it private`,
        '',
        'Next: add your peers, then',
        `  ${command} check-config${where}`,
        `  ${command} start${where}`,
      ].join('\n'),
    )
  })
}

const SECRETS_FILE = 'secrets.yaml'

function refuseExisting(paths: string[], force: boolean): void {
  const existing = paths.find((path) => existsSync(path))
  if (existing === undefined || force) return
  throw new CliError(
    ExitCode.failed,
    `${existing} is there already and was not touched. Replace it with --force, or name another file`,
  )
}

/** What would be written must be usable, and is checked before anything is. */
function checkFlags(flags: InitFlags, directory: string): void {
  const values = [
    `node.id=${flags.id}`,
    `node.ilpAddress=${flags.address}`,
    `node.environment=${environmentOf(flags)}`,
  ]
  try {
    loadConfiguration({ path: undefined, env: {}, flags: values, workingDirectory: directory })
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(ExitCode.usage, error.message)
    throw error
  }
}

function environmentOf(flags: InitFlags): 'test' | 'production' {
  return flags.address.startsWith('test') ? 'test' : 'production'
}

async function write(path: string, secretsPath: string, flags: InitFlags): Promise<void> {
  const replace = flags.force === true
  const text = renderSample({
    node: {
      id: flags.id,
      environment: environmentOf(flags),
      ilpAddress: flags.address,
      secretsFile: SECRETS_FILE,
    },
    plugins: { btp: { listen: { host: '127.0.0.1', port: 7768 } } },
  })
  await mkdir(dirname(path), { recursive: true })
  await writeSecrets(secretsPath, new Map([[DEFAULT_ADMIN_KEY_NAME, generateToken()]]), replace)
  await writeFileAtomic(path, text, { mode: CONFIG_FILE_MODE, replace })
}
