import { createHash } from 'node:crypto'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { mintToken, TOKEN_TTL_SECONDS_MAX } from '../../admin/operator-token.ts'
import { isScope, SCOPES, type Scope } from '../../admin/scopes.ts'
import { adminKeys } from '../../config/admin-keys.ts'
import { generateToken } from '../../config/generate-token.ts'
import { loadConfiguration } from '../../config/load.ts'
import { CliError } from '../cli-error.ts'
import {
  addConfigOptions,
  addJsonOption,
  type CommandContext,
  type JsonFlags,
  type LocalFlags,
  openOutput,
} from '../command-context.ts'
import { tokenSubject } from '../connect.ts'
import { ExitCode } from '../exit-code.ts'
import { requireConfiguration } from '../find-configuration.ts'

interface TokenFlags extends LocalFlags {
  scope: Scope[] | undefined
  ttl: number
  subject: string | undefined
}

export function registerToken(program: Command, context: CommandContext): void {
  const token = program.command('token').description('make tokens: for operators, and for peers')
  registerOperatorToken(token, context)
  addJsonOption(
    token
      .command('btp')
      .description(
        'a new token for a peer, and its SHA-256 for the configuration of the side it connects to',
      ),
  ).action((flags: JsonFlags) => {
    const value = generateToken()
    const sha256 = createHash('sha256').update(value).digest('hex')
    openOutput(flags, context).result(
      { token: value, sha256 },
      () =>
        `token:   ${value}\nsha256:  ${sha256}\n\nGive the token to the peer; put the hash into its link. Neither is kept here.`,
    )
  })
  addJsonOption(
    token
      .command('key')
      .description('a new key for admin.keys; put it first in the list to rotate, into the secrets file'),
  ).action((flags: JsonFlags) => {
    const key = generateToken()
    openOutput(flags, context).result({ key }, () => key)
  })
}

function registerOperatorToken(token: Command, context: CommandContext): void {
  const command = token
    .command('operator', { isDefault: true })
    .description('an operator token (JWT), signed offline with the admin key of the configuration')
    .option(
      '--scope <scopes>',
      `comma-separated: ${Object.keys(SCOPES).join(', ')}; default: all that read`,
      parseScopeList,
    )
    .addOption(
      new Option('--ttl <time>', 'how long it is valid, e.g. 90s, 30m, 12h, 7d')
        .argParser(parseLifetime)
        .default(3_600, '1h'),
    )
    .option('--subject <name>', 'whom it is for, in the log of changes; default: the user')
  addConfigOptions(command).action(async (flags: TokenFlags) => {
    const loaded = loadConfiguration({ ...requireConfiguration(flags, context.io), isClient: true })
    const keys = adminKeys(loaded)
    if (keys.length === 0) {
      throw new CliError(
        ExitCode.configuration,
        `there is no admin key yet. Start the node once, or put one into ${loaded.secrets.file} as "admin-key" (make it with "causeway token key")`,
      )
    }
    const scopes = flags.scope ?? (['admin:read', 'payments:read'] satisfies Scope[])
    const subject = flags.subject ?? tokenSubject()
    const clock = { now: () => context.io.now() }
    const jwt = await mintToken({ keys, subject, scopes, ttlSeconds: flags.ttl, clock })
    const expiresAt = new Date(context.io.now() + flags.ttl * 1000).toISOString()
    openOutput(flags, context).result({ token: jwt, subject, scopes, expiresAt }, () => jwt)
  })
}

function parseScopeList(text: string): Scope[] {
  const words = text.split(/[ ,]+/).filter((word) => word !== '')
  const unknown = words.find((word) => !isScope(word))
  if (unknown !== undefined || words.length === 0) {
    throw new InvalidArgumentError(
      `There is no scope "${unknown ?? ''}". Known: ${Object.keys(SCOPES).join(', ')}.`,
    )
  }
  return words.filter(isScope)
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 }

function parseLifetime(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const seconds = Number(count) * UNIT_SECONDS[unit ?? '']!
  if (seconds >= 1 && seconds <= TOKEN_TTL_SECONDS_MAX) return seconds
  throw new InvalidArgumentError(`Give a time from 1s to ${TOKEN_TTL_SECONDS_MAX / 86_400}d, e.g. 12h.`)
}
