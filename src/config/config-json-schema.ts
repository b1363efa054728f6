import { z } from 'zod'
import type { ConfigPath } from './config-path.ts'
import { configSchema } from './schema.ts'

/** The parts of a JSON Schema that the configuration's own schema uses. */
export interface JsonSchemaNode {
  type?: string
  description?: string
  default?: unknown
  const?: unknown
  enum?: unknown[]
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  required?: string[]
  properties?: Record<string, JsonSchemaNode>
  additionalProperties?: JsonSchemaNode | boolean
  items?: JsonSchemaNode
  oneOf?: JsonSchemaNode[]
  anyOf?: JsonSchemaNode[]
}

let cached: JsonSchemaNode | undefined

/** JSON Schema (draft 2020-12) of what a configuration file may hold. Do not change the answer. */
export function configJsonSchema(): JsonSchemaNode {
  cached ??= z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' }) as JsonSchemaNode
  return cached
}

/** The alternatives of a node: its branches when it is a union, itself otherwise. */
export function branchesOf(node: JsonSchemaNode): JsonSchemaNode[] {
  return node.oneOf ?? node.anyOf ?? [node]
}

/** The keys that an object node knows, over all its branches. */
export function keysOf(node: JsonSchemaNode): string[] {
  return [...new Set(branchesOf(node).flatMap((branch) => Object.keys(branch.properties ?? {})))]
}

/** The schema of one key of an object node, or of the entries of an array node. */
export function childOf(node: JsonSchemaNode, segment: string | number): JsonSchemaNode | undefined {
  for (const branch of branchesOf(node)) {
    if (typeof segment === 'number') {
      if (branch.items !== undefined) return branch.items
    } else if (branch.properties !== undefined && Object.hasOwn(branch.properties, segment)) {
      return branch.properties[segment]
    } else if (typeof branch.additionalProperties === 'object') {
      return branch.additionalProperties
    }
  }
  return undefined
}

/** The schema at a path of the configuration, a node's unless told otherwise; undefined when the path is not known to it. */
export function schemaAt(path: ConfigPath, root = configJsonSchema()): JsonSchemaNode | undefined {
  let node: JsonSchemaNode | undefined = root
  for (const segment of path) {
    if (node === undefined) return undefined
    node = childOf(node, segment)
  }
  return node
}
