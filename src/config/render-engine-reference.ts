import { engineConfigJsonSchema } from './engine-config.ts'
import { renderSections } from './render-reference.ts'

/** The reference page of the configuration of a served engine, Markdown. */
export function renderEngineReference(): string {
  return `${[INTRODUCTION, ...renderSections(engineConfigJsonSchema()), OVER_THE_FILE].join('\n\n')}\n`
}

const INTRODUCTION = `<!-- Generated from src/config/engine-config.ts by "npm run generate". Do not edit. -->

# Configuration reference of a served engine

One YAML file for \`causeway engine\`, by default \`engine.yaml\` in the working directory; \`--config\` names another.
[rfc38.md](../rfc38.md) shows one and tells what it is for. \`causeway engine <name> --check\` checks one.

Unknown keys are errors. Relative paths start at the directory of the file. The keys of an engine belong to its type:
[settlement.md](../settlement.md).

Editors that read JSON Schema can complete and check the file: put
\`# yaml-language-server: $schema=<path to>/config/engine.schema.json\` into its first line.`

const OVER_THE_FILE = `## Over the file

\`LOG_LEVEL\` sets \`logging.level\`, and \`--set path=value\` any key. Other variables of a node are not read. Secrets stand in the
file as references, as in a node's: \`secret:<name>\`, \`env:<NAME>\` or \`file:<path>\`.`
