import { branchesOf, configJsonSchema, type JsonSchemaNode } from './config-json-schema.ts'

/** Values that are set in the sample; every other key stands there as a comment with its default. */
export type SampleValues = { [key: string]: string | number | boolean | SampleValues }

/** Width of comments, so that they fit a narrow terminal. */
const COMMENT_WIDTH = 96

/** A configuration file with every key, what it means, and its default. */
export function renderSample(values: SampleValues): string {
  const root = configJsonSchema()
  const sections = Object.entries(root.properties ?? {}).map(([key, node]) =>
    renderEntry(key, node, values[key], { indent: '' }).join('\n'),
  )
  return `${HEAD}\n\n${sections.join('\n\n')}\n`
}

const HEAD = `# Configuration of a Causeway node. Lines that begin with "#" show the defaults: remove the "#" to change one.
# Check it with "causeway check-config". Every key: docs/reference/configuration.md`

interface Place {
  indent: string
  /** Where the lines became comments: the indent of the key that is not set. */
  commentedAt?: string
}

function renderEntry(
  key: string,
  node: JsonSchemaNode,
  value: SampleValues[string] | undefined,
  place: Place,
): string[] {
  const intro = renderComment(describe(node), place)
  if (typeof value === 'object') {
    return [...intro, `${place.indent}${key}:`, ...renderKeys(node, value, deeper(place))]
  }
  if (value !== undefined) return [...intro, `${place.indent}${key}: ${renderScalar(value)}`]
  const off = { commentedAt: place.indent, ...place }
  if (node.items?.type === 'object') {
    return [...intro, line(`${key}:`, off), ...renderItem(node.items, deeper(off))]
  }
  const [branch] = branchesOf(node)
  if (branch?.properties !== undefined) {
    return [...intro, line(`${key}:`, off), ...renderKeys(branch, {}, deeper(off))]
  }
  return [...intro, line(`${key}: ${exampleOf(node)}`.trimEnd(), off)]
}

function renderKeys(node: JsonSchemaNode, values: SampleValues, place: Place): string[] {
  return Object.entries(branchesOf(node)[0]?.properties ?? {}).flatMap(([key, child]) =>
    renderEntry(key, child, values[key], place),
  )
}

/** The keys of a list entry; the first one follows a dash. */
function renderItem(node: JsonSchemaNode, place: Place): string[] {
  const keys = Object.entries(node.properties ?? {})
  return keys.flatMap(([key, child], index) => {
    const lines = renderEntry(key, child, undefined, deeper(place))
    if (index > 0) return lines
    const at = lines.length - 1
    return lines.with(at, line(`- ${key}: ${exampleOf(child)}`.trimEnd(), place))
  })
}

function line(text: string, place: Place): string {
  if (place.commentedAt === undefined) return `${place.indent}${text}`
  return `${place.commentedAt}# ${place.indent.slice(place.commentedAt.length)}${text}`
}

/** Words about a key. Where the key is a comment itself they start with "# #", so that removing one "#" is enough. */
function renderComment(text: string, place: Place): string[] {
  const lines: string[] = []
  let current = ''
  for (const word of text.split(' ')) {
    if (current.length + word.length + place.indent.length > COMMENT_WIDTH) {
      lines.push(current)
      current = ''
    }
    current = current === '' ? word : `${current} ${word}`
  }
  if (current !== '') lines.push(current)
  return lines.map((entry) => line(`# ${entry}`, place))
}

function describe(node: JsonSchemaNode): string {
  const choices =
    node.enum ?? branchesOf(node).flatMap((branch) => (branch.const === undefined ? [] : [branch.const]))
  const oneOf = choices.length > 1 ? ` One of: ${choices.join(', ')}.` : ''
  return `${node.description ?? ''}${oneOf}`.trim()
}

function exampleOf(node: JsonSchemaNode): string {
  if (node.default !== undefined) return JSON.stringify(node.default)
  if (node.const !== undefined) return renderScalar(node.const as string)
  if (node.enum !== undefined) return renderScalar(node.enum[0] as string)
  return ''
}

function renderScalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value)
  return /^[A-Za-z][A-Za-z0-9_.-]*$/.test(value) && !/^(true|false|null)$/i.test(value)
    ? value
    : JSON.stringify(value)
}

function deeper(place: Place): Place {
  return { ...place, indent: `${place.indent}  ` }
}
