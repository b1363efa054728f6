import type { JsonSchemaNode } from './config-json-schema.ts'

/** Patterns that stand for a kind of value with a name. */
const PATTERN_NAMES: readonly [part: string, name: string][] = [
  ['secret:', 'reference to a secret'],
  [')+$', 'ILP address'],
  [')*$', 'ILP address prefix'],
  ['\\d{0,37}', 'amount (string of digits)'],
  ['^0(', 'fraction (string)'],
  ['\\d{1,20}', 'decimal number (string)'],
]

/** What a value may be, in a few words for the reference page. */
export function renderType(node: JsonSchemaNode): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``
  if (node.enum !== undefined) return node.enum.map((choice) => `\`${String(choice)}\``).join(', ')
  switch (node.type) {
    case 'string':
      return stringType(node)
    case 'integer':
      return node.minimum === undefined ? 'whole number' : `whole number, ${node.minimum} to ${node.maximum}`
    case 'number':
      return 'number'
    case 'boolean':
      return '`true`, `false`'
    case 'array':
      return `list of: ${node.items === undefined ? 'anything' : renderType(node.items)}`
    default:
      return typeof node.additionalProperties === 'object' && node.additionalProperties.type !== undefined
        ? `section of: ${renderType(node.additionalProperties)}`
        : 'section'
  }
}

function stringType(node: JsonSchemaNode): string {
  if (node.format === 'uri') return 'URL'
  const named = PATTERN_NAMES.find(([part]) => node.pattern?.includes(part))
  return named?.[1] ?? 'string'
}
