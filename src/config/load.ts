import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { checkConfig } from './check-config.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import { formatPath, parsePath } from './config-path.ts'
import { environmentEntries, flagEntries } from './env.ts'
import { applyOverlay, type OverlayResult } from './overlay.ts'
import { type Config, configSchema } from './schema.ts'
import { schemaProblems } from './schema-problems.ts'
import { SecretStore } from './secret-store.ts'
import { readSecretsFile } from './secrets-file.ts'
import { parseYaml, YamlError, type YamlSource } from './yaml-source.ts'

/** Room for a hundred thousand peers; a larger file is a mistake. */
const CONFIG_FILE_BYTES_MAX = 64 * 1024 * 1024

export interface LoadOptions {
  /** The configuration file; undefined: environment and flags alone. */
  path: string | undefined
  env: Readonly<Record<string, string | undefined>>
  /** Values of `--set path=value`, strongest last. */
  flags: readonly string[]
  /** Where relative paths start when there is no file. */
  workingDirectory: string
  /** Only to talk to a running node: secrets of peers need not be there, and parts are not checked against each other. */
  isClient?: boolean
}

/** A configuration that was read, checked, and can be used. */
export interface LoadedConfiguration {
  /** With defaults; paths are absolute, `node.secretsFile` is set; secrets are still references. */
  config: Config & { node: { secretsFile: string } }
  /** Resolves the references: `secrets.resolveAll(peer.link)`. */
  secrets: SecretStore
  /** Absolute path of the file, when there was one. */
  path: string | undefined
  /** Where relative paths in the configuration start, e.g. of plugins. */
  baseDirectory: string
  /** Values that environment or flags set over the file: `admin.port (HEALTH_CHECK_PORT)`. */
  overridden: string[]
  /** What works but is seldom meant, one sentence each. */
  warnings: string[]
}

/**
 * Reads the configuration: defaults, then the file, then the environment, then flags; the later wins.
 * @throws ConfigError with every problem found, when it cannot be used
 * @throws SecretError when the secrets file is not private or not readable
 */
export function loadConfiguration(options: LoadOptions): LoadedConfiguration {
  const path = options.path === undefined ? undefined : resolve(options.workingDirectory, options.path)
  const baseDirectory = path === undefined ? options.workingDirectory : dirname(path)
  const source = path === undefined ? undefined : readYaml(path)
  const raw = toSection(source?.value, path)
  const overlay = applyOverlay(raw, [...environmentEntries(options.env), ...readFlags(options.flags)])
  const locate = (problem: ConfigProblem) => withOrigin(problem, source, overlay)

  const parsed = configSchema.safeParse(raw)
  const problems = [...overlay.problems]
  if (!parsed.success) problems.push(...schemaProblems(parsed.error.issues, raw))
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems.map(locate), path)

  const config = withAbsolutePaths(parsed.data, baseDirectory)
  const file = config.node.secretsFile
  const secrets = new SecretStore({ file, values: readSecretsFile(file), env: options.env, baseDirectory })
  const report = options.isClient === true ? { problems: [], warnings: [] } : checkConfig(config, secrets)
  if (report.problems.length > 0) throw new ConfigError(report.problems.map(locate), path)
  return {
    config,
    secrets,
    path,
    baseDirectory,
    overridden: overlay.overridden.map((entry) => `${formatPath(entry.path)} (${entry.from})`),
    warnings: report.warnings,
  }
}

function readYaml(path: string): YamlSource {
  let text: string
  try {
    text = readBounded(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const missing = code === 'ENOENT'
    const message = missing ? 'there is no such file' : `the file cannot be read (${code ?? 'too large'})`
    const fix = missing ? 'Write one with: causeway init' : 'Check the path and who may read it'
    throw new ConfigError([{ path: '', message, fix }], path)
  }
  try {
    return parseYaml(text)
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    const line = error.line === undefined ? {} : { line: error.line }
    throw new ConfigError([{ path: '', message: error.message, ...line }], path)
  }
}

function readBounded(path: string): string {
  const file = openSync(path, 'r')
  try {
    if (fstatSync(file).size > CONFIG_FILE_BYTES_MAX) throw new Error('too large')
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

function toSection(value: unknown, path: string | undefined): Record<string, unknown> {
  if (value === undefined || value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw new ConfigError(
    [{ path: '', message: 'the file does not hold "key: value" lines', fix: 'See the examples in config/' }],
    path,
  )
}

function readFlags(flags: readonly string[]) {
  try {
    return flagEntries(flags)
  } catch (error) {
    throw new ConfigError([{ path: '', message: (error as RangeError).message }], undefined)
  }
}

function withOrigin(
  problem: ConfigProblem,
  source: YamlSource | undefined,
  overlay: OverlayResult,
): ConfigProblem {
  if (problem.from !== undefined) return problem
  const given = overlay.overridden.findLast(({ path }) => isWithin(problem.path, formatPath(path)))
  if (given !== undefined) return { ...problem, from: given.from }
  const line = source?.lineOf(parsePath(problem.path))
  return line === undefined ? problem : { ...problem, line }
}

function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`)
}

function withAbsolutePaths(config: Config, baseDirectory: string): LoadedConfiguration['config'] {
  const dataDirectory = resolve(baseDirectory, config.node.dataDirectory)
  const { secretsFile } = config.node
  return {
    ...config,
    node: {
      ...config.node,
      dataDirectory,
      secretsFile:
        secretsFile === undefined ? join(dataDirectory, 'secrets.yaml') : resolve(baseDirectory, secretsFile),
    },
  }
}
