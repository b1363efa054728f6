import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import type { JsonSchemaNode } from './config-json-schema.ts'
import { formatPath, parsePath } from './config-path.ts'
import { flagEntries } from './env.ts'
import { applyOverlay, type OverlayEntry, type OverlayResult } from './overlay.ts'
import { schemaProblems } from './schema-problems.ts'
import { parseYaml, YamlError, type YamlSource } from './yaml-source.ts'

/** Room for a hundred thousand peers; a larger file is a mistake. */
const CONFIG_FILE_BYTES_MAX = 64 * 1024 * 1024

export interface ReadOptions {
  /** The configuration file; undefined: entries and flags alone. */
  readonly path: string | undefined
  /** Values over the file, strongest last; flags are stronger. */
  readonly entries: readonly OverlayEntry[]
  /** Values of `--set path=value`, strongest last. */
  readonly flags: readonly string[]
  /** Where relative paths start when there is no file. */
  readonly workingDirectory: string
}

/** A configuration that fits its schema. */
export interface ReadConfiguration<T> {
  /** With defaults. */
  readonly data: T
  /** Absolute path of the file, when there was one. */
  readonly path: string | undefined
  /** Where relative paths in the configuration start. */
  readonly baseDirectory: string
  /** Values that were set over the file: `admin.port (HEALTH_CHECK_PORT)`. */
  readonly overridden: string[]
  /** The error that tells of problems found later, each with its line or where it was set. */
  readonly failure: (problems: readonly ConfigProblem[]) => ConfigError
}

/**
 * Reads a YAML file, sets what was given over it and checks all of it.
 * @param root the same schema as JSON Schema, for words that tell what was expected
 * @throws ConfigError with every problem found
 */
export function readConfiguration<S extends z.ZodType>(
  schema: S,
  root: JsonSchemaNode,
  options: ReadOptions,
): ReadConfiguration<z.output<S>> {
  const path = options.path === undefined ? undefined : resolve(options.workingDirectory, options.path)
  const baseDirectory = path === undefined ? options.workingDirectory : dirname(path)
  const source = path === undefined ? undefined : readYaml(path)
  const raw = toSection(source?.value, path)
  const overlay = applyOverlay(raw, [...options.entries, ...readFlags(options.flags)], root)
  const failure = (problems: readonly ConfigProblem[]) =>
    new ConfigError(
      problems.map((problem) => withOrigin(problem, source, overlay)),
      path,
    )

  const parsed = schema.safeParse(raw)
  const problems = [...overlay.problems]
  if (!parsed.success) problems.push(...schemaProblems(parsed.error.issues, raw, root))
  if (!parsed.success || problems.length > 0) throw failure(problems)
  const overridden = overlay.overridden.map((entry) => `${formatPath(entry.path)} (${entry.from})`)
  return { data: parsed.data, path, baseDirectory, overridden, failure }
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
