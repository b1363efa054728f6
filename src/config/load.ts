import { join, resolve } from 'node:path'
import { checkConfig } from './check-config.ts'
import { configJsonSchema } from './config-json-schema.ts'
import { environmentEntries } from './env.ts'
import { readConfiguration } from './read-configuration.ts'
import { type Config, configSchema } from './schema.ts'
import { SecretStore } from './secret-store.ts'
import { readSecretsFile } from './secrets-file.ts'

export interface LoadOptions {
  /** The configuration file; undefined: environment and flags alone. */
  path: string | undefined
  env: Readonly<Record<string, string | undefined>>
  /** Values of `--set path=value`, strongest last. */
  flags: readonly string[]
  /** Where relative paths start when there is no file. */
  workingDirectory: string
  /** Only to talk to a running node: secrets of peers need not be there, and parts are not checked against each other. */
  isClient?: boolean
}

/** A configuration that was read, checked, and can be used. */
export interface LoadedConfiguration {
  /** With defaults; paths are absolute, `node.secretsFile` is set; secrets are still references. */
  config: Config & { node: { secretsFile: string } }
  /** Resolves the references: `secrets.resolveAll(peer.link)`. */
  secrets: SecretStore
  /** Absolute path of the file, when there was one. */
  path: string | undefined
  /** Where relative paths in the configuration start, e.g. of plugins. */
  baseDirectory: string
  /** Values that environment or flags set over the file: `admin.port (HEALTH_CHECK_PORT)`. */
  overridden: string[]
  /** What works but is seldom meant, one sentence each. */
  warnings: string[]
}

/**
 * Reads the configuration: defaults, then the file, then the environment, then flags; the later wins.
 * @throws ConfigError with every problem found, when it cannot be used
 * @throws SecretError when the secrets file is not private or not readable
 */
export function loadConfiguration(options: LoadOptions): LoadedConfiguration {
  const { path, baseDirectory, data, overridden, failure } = readConfiguration(
    configSchema,
    configJsonSchema(),
    { ...options, entries: environmentEntries(options.env) },
  )
  const config = withAbsolutePaths(data, baseDirectory)
  const file = config.node.secretsFile
  const secrets = new SecretStore({ file, values: readSecretsFile(file), env: options.env, baseDirectory })
  const report = options.isClient === true ? { problems: [], warnings: [] } : checkConfig(config, secrets)
  if (report.problems.length > 0) throw failure(report.problems)
  return { config, secrets, path, baseDirectory, overridden, warnings: report.warnings }
}

function withAbsolutePaths(config: Config, baseDirectory: string): LoadedConfiguration['config'] {
  const dataDirectory = resolve(baseDirectory, config.node.dataDirectory)
  const { secretsFile } = config.node
  return {
    ...config,
    node: {
      ...config.node,
      dataDirectory,
      secretsFile:
        secretsFile === undefined ? join(dataDirectory, 'secrets.yaml') : resolve(baseDirectory, secretsFile),
    },
  }
}
