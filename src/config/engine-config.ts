import { z } from 'zod'
import type { JsonSchemaNode } from './config-json-schema.ts'
import { asset, engineSections, ilpAddress, logging, port, secretReference } from './schema.ts'

/**
 * The configuration of one settlement engine that is served to a foreign connector (`causeway engine`), in a file of
 * its own. As in a node's, every field has a description and a default or is required, and unknown keys are errors.
 */

const milliseconds = z.number().int().min(100).max(120_000)

const listen = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address to bind. Loopback unless changed.'),
  port: port.describe('TCP port; 0 takes any free one.'),
  token: secretReference
    .optional()
    .describe(
      'Bearer token that callers must show. Only with node.environment: development and a loopback host may it be left out.',
    ),
})

const account = z.strictObject({
  asset: asset.optional().describe('What the account is denominated in. Default: that of accountDefaults.'),
  ownAddress: ilpAddress
    .optional()
    .describe("ILP address of the connector; bound into proofs towards the peer's engine."),
  peerAddress: ilpAddress.optional().describe('ILP address of the peer; bound into proofs as well.'),
  options: z
    .looseObject({})
    .prefault({})
    .describe(
      'What the engine needs to know of the peer; the same as settlement.options of a peer of a node.',
    ),
})

export const engineConfigSchema = z.strictObject({
  node: z
    .strictObject({
      environment: z
        .enum(['development', 'test', 'production'])
        .default('production')
        .describe('development may listen on loopback without tokens.'),
      dataDirectory: z
        .string()
        .default('./data')
        .describe(
          'Books of the engine and of what it serves. Relative paths start at the configuration file.',
        ),
      secretsFile: z
        .string()
        .optional()
        .describe('YAML file of named secrets, mode 0600. Default: secrets.yaml in the data directory.'),
    })
    .prefault({})
    .describe('This process.'),
  engines: engineSections.describe(
    'Engines by name, as in settlement.engines of a node; one of them is run.',
  ),
  engine: z
    .strictObject({
      listen: listen.describe(
        'Where the connector reaches the engine (RFC 38); /health answers there as well.',
      ),
      connector: z
        .strictObject({
          url: z
            .url()
            .describe('Where the paths of RFC 38 begin at the connector, e.g. http://127.0.0.1:7771.'),
          token: secretReference.optional().describe('Bearer token shown to it. Default: none.'),
          connectTimeoutMs: milliseconds.default(5_000).describe('Deadline of a connection, milliseconds.'),
          requestTimeoutMs: milliseconds.default(30_000).describe('Deadline of a request, milliseconds.'),
        })
        .describe('The connector that incoming settlements are told to and messages go through.'),
      admin: listen
        .optional()
        .describe('Where operators reach it (causeway engine status, …). Not set: nowhere.'),
      accountDefaults: account
        .optional()
        .describe('What is known of accounts that the connector sets up. Not set: only listed ones can be.'),
      accounts: z
        .record(
          z.string().regex(/^[A-Za-z0-9._~-]{1,128}$/, 'use 1 to 128 letters, digits, ".", "_", "~" or "-"'),
          account,
        )
        .default({})
        .describe('What is known of single accounts, by id; it wins over accountDefaults.'),
    })
    .describe('Who is served, and where.'),
  logging: logging.prefault({}).describe('The log, on standard output.'),
})

export type EngineConfig = z.output<typeof engineConfigSchema>

let cached: JsonSchemaNode | undefined

/** JSON Schema (draft 2020-12) of what such a file may hold. Do not change the answer. */
export function engineConfigJsonSchema(): JsonSchemaNode {
  cached ??= z.toJSONSchema(engineConfigSchema, { io: 'input', target: 'draft-2020-12' }) as JsonSchemaNode
  return cached
}
