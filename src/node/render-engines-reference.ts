import { z } from 'zod'
import { accountOptions, engineOptions } from '../../settlement-engines/evm/engine/evm-options.ts'
import type { JsonSchemaNode } from '../config/config-json-schema.ts'
import { renderObject } from '../config/render-reference.ts'
import { rfc38Section } from './rfc38-section.ts'

/** What the node gives an engine itself. */
const GIVEN_BY_NODE = ['name', 'directory']

/** The reference page of the options of settlement engines, Markdown. */
export function renderEnginesReference(): string {
  const evm = withoutGiven(jsonSchema(engineOptions))
  const asset = evm.properties!.assets!.additionalProperties as JsonSchemaNode
  const sections = [
    ...renderObject('settlement.engines.<evm>', evm, EVM),
    ...renderObject('settlement.engines.<evm>.assets.<code>', asset, ASSETS, '###'),
    ...renderObject('peers[].settlement.options', jsonSchema(accountOptions), OPTIONS, '###'),
    ...renderObject('settlement.engines.<rfc38>', jsonSchema(rfc38Section), RFC38),
  ]
  return `${[INTRODUCTION, ...sections].join('\n\n')}\n`
}

const INTRODUCTION = `<!-- Generated from the schemas of the engines by "npm run generate". Do not edit. -->

# Options of settlement engines

What stands under \`settlement.engines.<name>\` beside \`type\`, and under \`settlement.options\` of a peer; \`<evm>\` and
\`<rfc38>\` stand for the names of engines of these types. The rest of the
configuration is in [configuration.md](configuration.md); what the numbers are for, in [settlement.md](../settlement.md).`

const EVM = `\`type: evm\`: an EVM chain, in this process: vouchers in payment channels, or plain transfers. Amounts are strings, in the smallest units
of the token or in wei. Relative paths start at the configuration file. URLs with a key in them are given as \`secret:<name>\`.`

const ASSETS = 'What the engine settles: asset codes of accounts, and the token that stands for each.'

const OPTIONS = 'Of a peer that settles over an engine of `type: evm`.'

const RFC38 =
  '`type: rfc38`: a foreign engine over HTTP (RFC 38): [rfc38.md](../rfc38.md). It takes no options of peers.'

function jsonSchema(schema: z.ZodType): JsonSchemaNode {
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) as JsonSchemaNode
}

function withoutGiven(node: JsonSchemaNode): JsonSchemaNode {
  const properties = Object.entries(node.properties ?? {}).filter(([key]) => !GIVEN_BY_NODE.includes(key))
  return { ...node, properties: Object.fromEntries(properties) }
}
