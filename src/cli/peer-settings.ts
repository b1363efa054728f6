import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { schemaAt } from '../config/config-json-schema.ts'
import { setAt } from '../config/config-path.ts'
import { findClearSecrets } from '../config/find-clear-secrets.ts'
import { parseYaml, YamlError } from '../config/yaml-source.ts'
import { CliError } from './cli-error.ts'
import type { CliIo } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'

/** Flags of `peers add` and `peers change`. */
export interface PeerFlags {
  relation?: string
  asset?: string
  scale?: string
  plugin?: string
  link?: string[]
  creditLimit?: string
  route?: string[]
  field?: string[]
  file?: string
}

/** Settings of a new peer, in the shape of an entry of `peers` in the configuration. */
export function peerSettings(id: string, flags: PeerFlags, io: CliIo): Record<string, unknown> {
  const settings = { ...collectSettings(flags, io), id }
  const missing = ['relation', 'asset', 'link'].filter((key) => !Object.hasOwn(settings, key))
  if (missing.length > 0) {
    throw usage(
      `a new peer needs ${missing.join(', ')}: give --relation, --asset, --scale and --plugin, or --file`,
    )
  }
  return settings
}

/** The settings that change. */
export function peerChanges(flags: PeerFlags, io: CliIo): Record<string, unknown> {
  const changes = collectSettings(flags, io)
  if (Object.keys(changes).length > 0) return changes
  throw usage('nothing to change was given: use --credit-limit, --route, --link, --field or --file')
}

/** From the file first; flags win. */
function collectSettings(flags: PeerFlags, io: CliIo): Record<string, unknown> {
  const settings = flags.file === undefined ? {} : readSettings(flags.file, io)
  const entries: [string, string | undefined][] = [
    ['relation', flags.relation],
    ['asset.code', flags.asset],
    ['asset.scale', flags.scale],
    ['link.plugin', flags.plugin],
    ['creditLimit', flags.creditLimit],
    ...(flags.link ?? []).map((entry) => assignment('--link', entry, 'link.')),
    ...(flags.field ?? []).map((entry) => assignment('--field', entry, '')),
  ]
  for (const [path, text] of entries) {
    if (text === undefined) continue
    const keys = path.split('.')
    refuseClearSecret(keys, text)
    set(settings, keys, text)
  }
  if (flags.route !== undefined) settings.routes = flags.route
  return settings
}

function assignment(flag: string, entry: string, prefix: string): [string, string] {
  const equals = entry.indexOf('=')
  if (equals < 1) throw usage(`${flag} takes <name>=<value>`)
  return [`${prefix}${entry.slice(0, equals)}`, entry.slice(equals + 1)]
}

/** Reads the text as the schema wants the field; the node refuses what does not fit. */
function set(settings: Record<string, unknown>, path: string[], text: string): void {
  const type = schemaAt(['peers', 0, ...path])?.type
  const isPlugin = path[0] === 'link' && type === undefined
  const isNumber = (type === 'integer' || isPlugin) && /^\d{1,15}$/.test(text)
  const isBoolean = (type === 'boolean' || isPlugin) && /^(true|false)$/.test(text)
  setAt(settings, path, isNumber ? Number(text) : isBoolean ? text === 'true' : text)
}

function readSettings(file: string, io: CliIo): Record<string, unknown> {
  try {
    const text = readFileSync(file === '-' ? 0 : resolve(io.workingDirectory, file), 'utf8')
    const { value } = parseYaml(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
    throw usage(`${file} does not hold "key: value" lines`)
  } catch (error) {
    if (error instanceof CliError) throw error
    const line = error instanceof YamlError && error.line !== undefined ? `, line ${error.line}` : ''
    throw usage(`${file}${line}: ${(error as Error).message}`)
  }
}

/** What stands on a command line can be seen by others, and stays in the history of the shell. */
function refuseClearSecret(path: string[], text: string): void {
  if (path[0] !== 'link') return
  const [problem] = findClearSecrets(text, path, 'peer')
  if (problem === undefined) return
  throw usage(
    `${problem.path}: ${problem.message}, and others can see a command line. Give it with --file (the node keeps it encrypted), ` +
      'or as secret:<name> when it is in the secrets file of the node',
  )
}

function usage(message: string): CliError {
  return new CliError(ExitCode.usage, message)
}
