import type { OverlayEntry } from './overlay.ts'

/** Environment variables that set one value each, besides the general form. */
export const NAMED_VARIABLES = [
  {
    name: 'HEALTH_CHECK_PORT',
    path: ['admin', 'port'],
    description: 'Port of health, metrics and the admin API.',
  },
  {
    name: 'LOG_LEVEL',
    path: ['logging', 'level'],
    description: 'What is logged: error, warn, info or debug.',
  },
] as const

/** Environment variables that the command line reads for itself. */
export const CLI_VARIABLES = [
  { name: 'CAUSEWAY_CONFIG', description: 'The configuration file, when --config is not given.' },
  { name: 'CAUSEWAY_URL', description: 'Where the admin API is, when --url is not given.' },
  { name: 'CAUSEWAY_TOKEN', description: 'The operator token to use, when --token is not given.' },
] as const

/** General form: `CAUSEWAY__` and the path, parts joined by `__`: `CAUSEWAY__NODE__ILP_ADDRESS` is `node.ilpAddress`. */
export const VARIABLE_PREFIX = 'CAUSEWAY__'

/** The values that the environment sets. A variable that is empty counts as not set. */
export function environmentEntries(env: Readonly<Record<string, string | undefined>>): OverlayEntry[] {
  const entries: OverlayEntry[] = []
  for (const { name, path } of NAMED_VARIABLES) {
    const text = env[name]
    if (text !== undefined && text !== '') entries.push({ segments: [...path], text, from: name })
  }
  const general = Object.keys(env).filter((name) => name.startsWith(VARIABLE_PREFIX))
  for (const name of general.sort()) {
    const text = env[name]
    if (text === undefined || text === '') continue
    entries.push({ segments: name.slice(VARIABLE_PREFIX.length).split('__'), text, from: name })
  }
  return entries
}

/**
 * The values that flags of the form `--set path=value` set.
 * @throws RangeError when one is not of that form
 */
export function flagEntries(flags: readonly string[]): OverlayEntry[] {
  return flags.map((flag) => {
    const equals = flag.indexOf('=')
    if (equals < 1)
      throw new RangeError(`--set takes path=value, e.g. --set admin.port=8081; given "${flag}"`)
    const path = flag.slice(0, equals)
    return { segments: path.split('.'), text: flag.slice(equals + 1), from: `--set ${path}` }
  })
}
