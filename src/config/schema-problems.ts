import type { z } from 'zod'
import type { ConfigProblem } from './config-error.ts'
import {
  branchesOf,
  childOf,
  configJsonSchema,
  type JsonSchemaNode,
  keysOf,
  schemaAt,
} from './config-json-schema.ts'
import { type ConfigPath, formatPath, valueAt } from './config-path.ts'
import { nearestKey } from './nearest-key.ts'
import { isSecretPath, withoutCredentials } from './secret-field.ts'

type Issue = z.core.$ZodIssue

/** Characters of a given value that an error repeats. */
const GIVEN_LENGTH_MAX = 60

/** Says what a schema, a node's unless told otherwise, found wrong in `raw`: one problem per mistake, and its fix. */
export function schemaProblems(
  issues: readonly Issue[],
  raw: unknown,
  root = configJsonSchema(),
): ConfigProblem[] {
  return issues.flatMap((issue) => describeIssue(issue, raw, root))
}

function describeIssue(issue: Issue, raw: unknown, root: JsonSchemaNode): ConfigProblem[] {
  const path = issue.path as ConfigPath
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], root))
  const value = valueAt(raw, path)
  const place = { path: formatPath(path) }
  const node = schemaAt(path, root)
  if (value === undefined) {
    return [{ ...place, message: 'is missing', fix: `Give ${expectation(node, issue)}` }]
  }
  const given = showGiven(value, path)
  if (issue.code === 'invalid_type' && issue.expected === 'string' && typeof value === 'number') {
    return [{ ...place, message: `given the number ${given}, but this is a string`, fix: `Write "${given}"` }]
  }
  if (issue.code === 'invalid_format' && issue.format === 'regex') {
    return [{ ...place, message: `given ${given}: ${issue.message}` }]
  }
  return [{ ...place, message: `given ${given}, but expected ${expectation(node, issue)}` }]
}

function unknownKey(path: ConfigPath, root: JsonSchemaNode): ConfigProblem {
  const key = String(path.at(-1))
  const parent = schemaAt(path.slice(0, -1), root)
  const known = parent === undefined ? [] : keysOf(parent)
  const meant = nearestKey(key, known)
  return {
    path: formatPath(path),
    message: 'there is no such key',
    fix: meant === undefined ? `Known here: ${known.join(', ')}` : `Did you mean "${meant}"?`,
  }
}

/** The value as an error may show it. Values at places that may hold secrets are never shown. */
function showGiven(value: unknown, path: ConfigPath): string {
  if (isSecretPath(path)) return 'a value (not shown, it may be secret)'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a section'
  if (typeof value !== 'string') return String(value)
  const text = withoutCredentials(value)
  return JSON.stringify(text.length > GIVEN_LENGTH_MAX ? `${text.slice(0, GIVEN_LENGTH_MAX)}…` : text)
}

function expectation(node: JsonSchemaNode | undefined, issue: Issue): string {
  const choices = node === undefined ? [] : choicesOf(node, issue)
  if (choices.length > 0) return `one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`
  switch (node?.type) {
    case 'integer':
      return `a whole number${rangeOf(node.minimum, node.maximum)}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list${countOf(node)}`
    case 'object':
      return objectExpectation(node)
    case 'string':
      return node.format === 'uri' ? 'a URL' : `a string${lengthOf(node)}`
    default:
      return 'a section'
  }
}

function choicesOf(node: JsonSchemaNode, issue: Issue): unknown[] {
  if (node.enum !== undefined) return node.enum
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options))
    return issue.options
  return branchesOf(node).flatMap((branch) => (branch.const === undefined ? [] : [branch.const]))
}

function objectExpectation(node: JsonSchemaNode): string {
  const needed = (node.required ?? []).filter((key) => childOf(node, key)?.default === undefined)
  return needed.length === 0 ? 'a section' : `a section with ${needed.map((key) => `"${key}"`).join(', ')}`
}

function rangeOf(from: number | undefined, to: number | undefined): string {
  if (from === undefined || to === undefined || to === Number.MAX_SAFE_INTEGER) return ''
  return ` from ${from} to ${to}`
}

function countOf(node: JsonSchemaNode): string {
  if (node.maxItems === undefined) return ''
  return node.minItems === undefined
    ? ` of at most ${node.maxItems}`
    : ` of ${node.minItems} to ${node.maxItems}`
}

function lengthOf(node: JsonSchemaNode): string {
  if (node.maxLength === undefined) return node.minLength === undefined ? '' : ' that is not empty'
  return ` of ${node.minLength ?? 0} to ${node.maxLength} characters`
}
