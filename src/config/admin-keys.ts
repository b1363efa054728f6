import { generateToken } from './generate-token.ts'
import { type LoadedConfiguration, type LoadOptions, loadConfiguration } from './load.ts'
import { addSecrets } from './secrets-file.ts'

/** Name of the key in the secrets file when the configuration names none. */
export const DEFAULT_ADMIN_KEY_NAME = 'admin-key'

/**
 * The keys of operator tokens (HS256), newest first: the first one signs, all of them are accepted.
 * Empty when none was generated yet.
 */
export function adminKeys(loaded: LoadedConfiguration): Buffer[] {
  const { secrets, config } = loaded
  const references = config.admin.keys.length > 0 ? config.admin.keys : defaultReference(loaded)
  return references.map((reference) => Buffer.from(secrets.resolve(reference), 'utf8'))
}

/** Generates the default admin key when the configuration names none and there is none yet, and loads again. */
export async function ensureAdminKey(
  loaded: LoadedConfiguration,
  options: LoadOptions,
): Promise<LoadedConfiguration> {
  if (adminKeys(loaded).length > 0) return loaded
  await addSecrets(loaded.config.node.secretsFile, new Map([[DEFAULT_ADMIN_KEY_NAME, generateToken()]]))
  return loadConfiguration(options)
}

function defaultReference(loaded: LoadedConfiguration): string[] {
  return loaded.secrets.has(DEFAULT_ADMIN_KEY_NAME) ? [`secret:${DEFAULT_ADMIN_KEY_NAME}`] : []
}
