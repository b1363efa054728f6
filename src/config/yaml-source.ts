import { isScalar, LineCounter, parseDocument, visit } from 'yaml'
import type { ConfigPath } from './config-path.ts'

/** Aliases that one document may expand to: far above honest use, far below a memory bomb. */
const ALIAS_COUNT_MAX = 100

/** A parsed YAML document that still knows where its values stand. */
export interface YamlSource {
  value: unknown
  /** Line of the value at a path, or of the nearest value around it; from 1. */
  lineOf(path: ConfigPath): number | undefined
}

/** The text is not the YAML we take. The message never quotes the text, which may hold a secret. */
export class YamlError extends Error {
  override readonly name = 'YamlError'
  /** From 1. */
  readonly line: number | undefined
  constructor(message: string, line: number | undefined) {
    super(message)
    this.line = line
  }
}

/**
 * Parses YAML 1.2 (core schema): no custom tags, no duplicate keys, one document, bounded aliases.
 * @throws YamlError
 */
export function parseYaml(text: string): YamlSource {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    // Looked for below: the library compares every key with every other one.
    uniqueKeys: false,
    prettyErrors: false,
    stringKeys: true,
    lineCounter,
  })
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) {
    throw new YamlError(explain(problem.code), lineCounter.linePos(problem.pos[0]).line)
  }
  const duplicate = findDuplicateKey(document)
  if (duplicate !== undefined) {
    throw new YamlError(explain('DUPLICATE_KEY'), lineCounter.linePos(duplicate).line)
  }
  return {
    value: toJs(document),
    lineOf: (path) => {
      for (let length = path.length; length > 0; length--) {
        const node: unknown = document.getIn(path.slice(0, length), true)
        const offset = startOf(node)
        if (offset !== undefined) return lineCounter.linePos(offset).line
      }
      return undefined
    },
  }
}

function toJs(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIAS_COUNT_MAX })
  } catch {
    throw new YamlError(
      `an alias is not defined, or aliases stand for more than ${ALIAS_COUNT_MAX} values`,
      undefined,
    )
  }
}

/** Offset of the first key that stands a second time in its map. */
function findDuplicateKey(document: ReturnType<typeof parseDocument>): number | undefined {
  let found: number | undefined
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key
        if (seen.has(name)) {
          found = startOf(key)
          return visit.BREAK
        }
        seen.add(name)
      }
      return undefined
    },
  })
  return found
}

function startOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  return Array.isArray(node.range) && typeof node.range[0] === 'number' ? node.range[0] : undefined
}

const EXPLANATIONS: Record<string, string> = {
  DUPLICATE_KEY: 'the same key stands here twice; keep one',
  TAG_RESOLVE_FAILED: 'YAML tags ("!…") are not taken; write a plain value',
  TAB_AS_INDENT: 'a tab is used to indent; use spaces',
  BAD_INDENT: 'the indentation does not fit the lines above',
  MISSING_CHAR: 'a character is missing: a closing quote, bracket or a ":"',
  BLOCK_AS_IMPLICIT_KEY: 'the line is not "key: value"; check the indentation and the ":"',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines; check the quotes and the ":"',
  UNEXPECTED_TOKEN: 'something unexpected stands here; quote values with special characters',
  MULTIPLE_DOCS: 'there is more than one document in the file ("---"); keep one',
  NON_STRING_KEY: 'a key is not a string; put it in quotes',
  BAD_ALIAS: 'an alias is not defined or not well formed; put values with "*" or "&" in quotes',
}

function explain(code: string): string {
  return EXPLANATIONS[code] ?? `not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`
}
