import { hkdfSync } from 'node:crypto'
import { generateToken } from '../config/generate-token.ts'
import type { LoadedConfiguration } from '../config/load.ts'
import { addSecrets } from '../config/secrets-file.ts'

/** Name of the node's own key in the secrets file: from it come the keys of the store and of STREAM receivers. */
const NODE_KEY_NAME = 'node-key'
const KEY_LENGTH = 32

/** Makes the node's key on the first start. Resolves with a configuration that knows it. */
export async function ensureNodeKey(
  loaded: LoadedConfiguration,
  reload: () => LoadedConfiguration,
): Promise<LoadedConfiguration> {
  if (loaded.secrets.has(NODE_KEY_NAME)) return loaded
  await addSecrets(loaded.config.node.secretsFile, new Map([[NODE_KEY_NAME, generateToken()]]))
  return reload()
}

/** A key of 32 bytes for one purpose (HKDF-SHA256 of the node's key). */
export function deriveKey(loaded: LoadedConfiguration, purpose: string): Buffer {
  const secret = loaded.secrets.resolve(`secret:${NODE_KEY_NAME}`)
  return Buffer.from(hkdfSync('sha256', secret, '', `causeway ${purpose}`, KEY_LENGTH))
}
