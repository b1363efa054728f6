import { parse } from 'yaml'
import type { ConfigProblem } from './config-error.ts'
import { childOf, type JsonSchemaNode, keysOf } from './config-json-schema.ts'
import { type ConfigPath, formatPath, setAt, valueAt } from './config-path.ts'
import { nearestKey } from './nearest-key.ts'

/** A value given outside the configuration file. */
export interface OverlayEntry {
  /** Names from the root; case, `_` and `-` do not count, and entries of a list are named by their `id`. */
  segments: string[]
  text: string
  /** What the user wrote it as, e.g. `CAUSEWAY__ADMIN__PORT` or `--set admin.port`. */
  from: string
}

/** What an overlay changed. */
export interface OverlayResult {
  problems: ConfigProblem[]
  /** Path of each value set, with where it came from. */
  overridden: { path: ConfigPath; from: string }[]
}

/** Writes the entries into `raw`, the parsed configuration file, in order. `root` is the schema of the file. */
export function applyOverlay(
  raw: Record<string, unknown>,
  entries: readonly OverlayEntry[],
  root: JsonSchemaNode,
): OverlayResult {
  const result: OverlayResult = { problems: [], overridden: [] }
  for (const entry of entries) {
    const place = locate(raw, entry, root)
    if ('message' in place) {
      result.problems.push(place)
      continue
    }
    setAt(raw, place.path, coerce(entry.text, place.node))
    result.overridden.push({ path: place.path, from: entry.from })
  }
  return result
}

function locate(
  raw: Record<string, unknown>,
  entry: OverlayEntry,
  root: JsonSchemaNode,
): { path: ConfigPath; node: JsonSchemaNode | undefined } | ConfigProblem {
  let node: JsonSchemaNode | undefined = root
  const path: (string | number)[] = []
  for (const segment of entry.segments) {
    const step = findKey(node, segment, valueAt(raw, path))
    if (step === undefined) return unknownName(node, segment, path, entry)
    path.push(step)
    node = node === undefined ? undefined : childOf(node, step)
  }
  return { path, node }
}

/** The real key that a name stands for; undefined when there is none. */
function findKey(
  node: JsonSchemaNode | undefined,
  segment: string,
  value: unknown,
): string | number | undefined {
  if (Array.isArray(value)) {
    const index = value.findIndex((item) =>
      sameName(String((item as { id?: unknown } | null)?.id ?? ''), segment),
    )
    return index === -1 ? undefined : index
  }
  const known = [...(node === undefined ? [] : keysOf(node)), ...Object.keys(asObject(value))]
  const match = known.find((key) => key === segment) ?? known.find((key) => sameName(key, segment))
  if (match !== undefined) return match
  const isOpen = node === undefined || typeof node.additionalProperties === 'object' || openBranch(node)
  if (!isOpen || segment === '') return undefined
  // Keys of a plugin are not known here: NAME_LIKE_THIS becomes nameLikeThis. Asset codes of prices stay as they are.
  return isRecordOfStrings(node) ? segment : toCamelCase(segment)
}

function openBranch(node: JsonSchemaNode): boolean {
  return (node.oneOf ?? []).some((branch) => typeof branch.additionalProperties === 'object')
}

function isRecordOfStrings(node: JsonSchemaNode | undefined): boolean {
  return typeof node?.additionalProperties === 'object' && node.additionalProperties.type === 'string'
}

function unknownName(
  node: JsonSchemaNode | undefined,
  segment: string,
  path: ConfigPath,
  entry: OverlayEntry,
): ConfigProblem {
  const place = path.length === 0 ? 'the configuration' : formatPath(path)
  if (node?.type === 'array') {
    return {
      path: formatPath(path),
      from: entry.from,
      message: `the configuration file has no entry "${segment}" in ${place}`,
      fix: 'Name an id of the list, or set the value in the file',
    }
  }
  const known = node === undefined ? [] : keysOf(node)
  const meant = nearestKey(normalise(segment), known)
  return {
    path: formatPath(path),
    from: entry.from,
    message: `${place} has no key "${segment}"`,
    fix:
      meant === undefined
        ? `Known there: ${known.join(', ') || 'nothing'}`
        : `Did you mean ${entry.from.startsWith('--set') ? formatPath([...path, meant]) : toVariable([...path, meant])}?`,
  }
}

/** Reads the text the way the schema wants the value; what does not fit is left for the schema to refuse. */
function coerce(text: string, node: JsonSchemaNode | undefined): unknown {
  switch (node?.type) {
    case 'string':
      return text
    case 'integer':
    case 'number':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    default:
      return parseFlow(text)
  }
}

function parseFlow(text: string): unknown {
  try {
    return parse(text, { schema: 'core', maxAliasCount: 0, logLevel: 'silent' })
  } catch {
    return text
  }
}

/** The environment variable of a path: `CAUSEWAY__ADMIN__TRUST_PROXY`. */
export function toVariable(path: ConfigPath): string {
  const names = path.map((segment) =>
    String(segment)
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replaceAll('-', '_')
      .toUpperCase(),
  )
  return ['CAUSEWAY', ...names].join('__')
}

function sameName(key: string, segment: string): boolean {
  return normalise(key) === normalise(segment)
}

function normalise(name: string): string {
  return name.replace(/[_-]/g, '').toLowerCase()
}

function toCamelCase(name: string): string {
  if (!name.includes('_') && name !== name.toUpperCase()) return name
  return name.toLowerCase().replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}
