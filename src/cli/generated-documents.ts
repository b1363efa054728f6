import { adminReference } from '../admin/admin-reference.ts'
import { openApiDocument } from '../admin/openapi.ts'
import { ROUTES } from '../admin/route-registry.ts'
import { configJsonSchema } from '../config/config-json-schema.ts'
import { engineConfigJsonSchema } from '../config/engine-config.ts'
import { renderEngineReference } from '../config/render-engine-reference.ts'
import { renderReference } from '../config/render-reference.ts'
import { renderSample } from '../config/render-sample.ts'
import { renderEnginesReference } from '../node/render-engines-reference.ts'
import { metricsReference } from '../observability/metrics-reference.ts'
import { packageVersion } from '../version.ts'
import type { CommandContext } from './command-context.ts'
import { buildProgram } from './program.ts'
import { renderCliReference } from './render-cli-reference.ts'

/** Every file that is generated from the code, by its path in the repository. A test keeps them up to date. */
export function generatedDocuments(context: CommandContext): ReadonlyMap<string, string> {
  const schema = { title: 'Causeway configuration', ...configJsonSchema() }
  const engineSchema = { title: 'Configuration of a served engine', ...engineConfigJsonSchema() }
  const program = buildProgram(context)
  return new Map([
    ['config/causeway.schema.json', `${JSON.stringify(schema, null, 2)}\n`],
    ['config/sample.yaml', renderSample({ node: { ilpAddress: 'g.connector' } })],
    ['config/engine.schema.json', `${JSON.stringify(engineSchema, null, 2)}\n`],
    ['docs/reference/configuration.md', renderReference()],
    ['docs/reference/engine-configuration.md', renderEngineReference()],
    ['docs/reference/settlement-engines.md', renderEnginesReference()],
    ['docs/reference/cli.md', renderCliReference(program)],
    ['docs/reference/admin-api.md', adminReference(ROUTES)],
    [
      'docs/reference/openapi.json',
      `${JSON.stringify(openApiDocument(ROUTES, { version: packageVersion }), null, 2)}\n`,
    ],
    ['docs/reference/metrics.md', metricsReference()],
  ])
}
