import { branchesOf, configJsonSchema, type JsonSchemaNode } from './config-json-schema.ts'
import { CLI_VARIABLES, NAMED_VARIABLES } from './env.ts'
import { toVariable } from './overlay.ts'
import { renderType } from './render-type.ts'

/** The reference page of the configuration, Markdown. */
export function renderReference(): string {
  return `${[INTRODUCTION, ...renderSections(configJsonSchema()), ENVIRONMENT, SECRETS].join('\n\n')}\n`
}

/** A heading, a description and a table for each section of a schema. */
export function renderSections(root: JsonSchemaNode): string[] {
  return Object.entries(root.properties ?? {}).flatMap(([key, node]) => renderSection(key, node))
}

const INTRODUCTION = `<!-- Generated from src/config/schema.ts by "npm run generate". Do not edit. -->

# Configuration reference

One YAML file, by default \`causeway.yaml\` in the working directory; \`--config\` or \`CAUSEWAY_CONFIG\` names another.
\`causeway init\` writes one with every key and what it means, \`causeway check-config\` checks one.

Values come from four places; the later wins: the defaults below, the file, environment variables, and \`--set path=value\`
flags. Unknown keys are errors. Relative paths start at the directory of the file. Amounts are whole numbers of an
account's smallest units, written as strings, so that no tool on the way rounds them.

Editors that read JSON Schema can complete and check the file: put
\`# yaml-language-server: $schema=<path to>/config/causeway.schema.json\` into its first line.`

function renderSection(path: string, node: JsonSchemaNode): string[] {
  if (node.type === 'array' && node.items?.type === 'object') {
    return renderObject(`${path}[]`, node.items, node.description)
  }
  const branches = branchesOf(node)
  if (branches.length > 1) {
    return [
      `## \`${path}\`\n\n${node.description ?? ''}`,
      ...branches.flatMap((branch) => renderObject(branchTitle(path, branch), branch, undefined, '###')),
    ]
  }
  return renderObject(path, node, node.description)
}

function branchTitle(path: string, branch: JsonSchemaNode): string {
  const [key, node] =
    Object.entries(branch.properties ?? {}).find(([, child]) => child.const !== undefined) ?? []
  return `${path} with ${key}: ${String(node?.const)}`
}

/** A heading, a table of the keys of an object, and the same for the objects in it. */
export function renderObject(
  path: string,
  node: JsonSchemaNode,
  description: string | undefined,
  heading = '##',
): string[] {
  const rows = Object.entries(node.properties ?? {}).map(([key, child]) => renderRow(key, child, node))
  const table = ['| Key | Type | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n')
  const intro = description === undefined ? '' : `${description}\n\n`
  const own = `${heading} \`${path}\`\n\n${intro}${rows.length > 0 ? table : ''}`.trimEnd()
  const nested = Object.entries(node.properties ?? {})
    .filter(([, child]) => child.properties !== undefined)
    .flatMap(([key, child]) => renderObject(`${path}.${key}`, child, child.description, '###'))
  return [own, ...nested]
}

function renderRow(key: string, node: JsonSchemaNode, parent: JsonSchemaNode): string {
  const isRequired = parent.required?.includes(key) === true
  const cells = [`\`${key}\``, renderType(node), renderDefault(node, isRequired), node.description ?? '']
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function renderDefault(node: JsonSchemaNode, isRequired: boolean): string {
  if (isRequired) return 'required'
  if (node.default === undefined) return '-'
  const isEmpty = typeof node.default === 'object' && node.default !== null
  return isEmpty
    ? Array.isArray(node.default)
      ? 'empty'
      : 'see below'
    : `\`${JSON.stringify(node.default)}\``
}

const ENVIRONMENT = `## Environment variables

| Variable | Sets | Meaning |
|---|---|---|
${NAMED_VARIABLES.map(({ name, path, description }) => `| \`${name}\` | \`${path.join('.')}\` | ${description} |`).join('\n')}
| \`CAUSEWAY__…\` | any key | The path in capitals, parts joined by two underscores, words by one. |
${CLI_VARIABLES.map(({ name, description }) => `| \`${name}\` | - | ${description} |`).join('\n')}

Examples: \`${toVariable(['node', 'ilpAddress'])}=g.example\` sets \`node.ilpAddress\`,
\`${toVariable(['plugins', 'ilp-http', 'listen', 'port'])}=7770\` sets \`plugins.ilp-http.listen.port\`, and
\`${toVariable(['peers', 'alice', 'creditLimit'])}=5000\` sets \`creditLimit\` of the peer \`alice\` of the file. Lists and sections are
given as YAML or JSON on one line. A variable that is empty counts as not set; one that names no key is an error.`

const SECRETS = `## Secrets

A secret never stands in the configuration. A reference stands in its place, in \`admin.keys\` and in any string under
\`peers[].link\`, \`plugins\` and \`settlement.engines\`:

| Reference | Where the secret is |
|---|---|
| \`secret:<name>\` | Under that name in the secrets file (\`node.secretsFile\`). |
| \`env:<NAME>\` | In that environment variable. |
| \`file:<path>\` | In that file; one line end at its end is cut off. |

Fields named \`token\`, \`secret\`, \`password\`, \`key\` and their like are refused when they hold anything else, and so are URLs with
credentials. The secrets file is YAML, one \`name: "value"\` per line, and must be readable by its owner only
(\`chmod 600\`); the node refuses to start otherwise. The admin API, errors and logs show references, never what they stand for.

Peers that connect to this node need only the hash of their token here: \`causeway token btp\` prints a new token and its
SHA-256.`
