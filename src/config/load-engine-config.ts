import { join, resolve } from 'node:path'
import { checkEngineConfig } from './check-engine-config.ts'
import { ConfigError } from './config-error.ts'
import { type EngineConfig, engineConfigJsonSchema, engineConfigSchema } from './engine-config.ts'
import { NAMED_VARIABLES } from './env.ts'
import type { LoadOptions } from './load.ts'
import { readConfiguration } from './read-configuration.ts'
import { SecretStore } from './secret-store.ts'
import { readSecretsFile } from './secrets-file.ts'

export interface LoadEngineOptions extends LoadOptions {
  /** Name of the engine to run; undefined only for clients. */
  engine: string | undefined
}

/** The configuration of a served engine that was read, checked, and can be used. */
export interface LoadedEngineConfiguration {
  /** With defaults; paths are absolute; secrets are still references. */
  config: EngineConfig
  /** Resolves the references. */
  secrets: SecretStore
  /** Absolute path of the file, when there was one. */
  path: string | undefined
  /** Where relative paths in the configuration start. */
  baseDirectory: string
  /** What works but is seldom meant, one sentence each. */
  warnings: string[]
}

/**
 * Reads the configuration of a served engine: defaults, then the file, then LOG_LEVEL, then flags; the later wins.
 * @throws ConfigError with every problem found, when it cannot be used
 * @throws SecretError when the secrets file is not private or not readable
 */
export function loadEngineConfiguration(options: LoadEngineOptions): LoadedEngineConfiguration {
  const { path, baseDirectory, data, failure } = readConfiguration(
    engineConfigSchema,
    engineConfigJsonSchema(),
    { ...options, entries: logLevelEntry(options.env) },
  )
  const config = withAbsolutePaths(data, baseDirectory)
  const file = config.node.secretsFile!
  const secrets = new SecretStore({ file, values: readSecretsFile(file), env: options.env, baseDirectory })
  if (options.isClient === true) return { config, secrets, path, baseDirectory, warnings: [] }
  if (options.engine === undefined) throw new ConfigError([{ path: 'engines', message: 'name one' }], path)
  const report = checkEngineConfig(options.engine, config, secrets)
  if (report.problems.length > 0) throw failure(report.problems)
  return { config, secrets, path, baseDirectory, warnings: report.warnings }
}

/** The environment may hold the variables of a node beside it: only this one is for both. */
function logLevelEntry(env: LoadOptions['env']) {
  const variable = NAMED_VARIABLES.find(({ name }) => name === 'LOG_LEVEL')!
  const text = env[variable.name]
  if (text === undefined || text === '') return []
  return [{ segments: [...variable.path], text, from: variable.name }]
}

function withAbsolutePaths(config: EngineConfig, baseDirectory: string): EngineConfig {
  const dataDirectory = resolve(baseDirectory, config.node.dataDirectory)
  const { secretsFile } = config.node
  const absolute =
    secretsFile === undefined ? join(dataDirectory, 'secrets.yaml') : resolve(baseDirectory, secretsFile)
  return { ...config, node: { ...config.node, dataDirectory, secretsFile: absolute } }
}
