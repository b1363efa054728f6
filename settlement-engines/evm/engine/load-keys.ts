import { EngineConfigError } from '../../../src/settlement/engine.ts'
import { readKeystoreFile, readPasswordFile, readSecretKeyFile } from '../key-file.ts'
import type { SigningKey } from '../signing-key.ts'
import type { EvmSettings } from './evm-options.ts'

export interface EngineKeys {
  readonly funding: SigningKey
  readonly claim: SigningKey
}

/** @throws EngineConfigError when a file cannot be used, or both hold the same key */
export async function loadKeys(keys: EvmSettings['keys']): Promise<EngineKeys> {
  const password =
    keys.passwordFile === undefined
      ? undefined
      : await asConfig('keys.passwordFile', async () => readPasswordFile(keys.passwordFile!))
  const load = async (name: 'fundingKeyFile' | 'claimKeyFile') =>
    await asConfig(`keys.${name}`, async () =>
      password === undefined ? readSecretKeyFile(keys[name]) : await readKeystoreFile(keys[name], password),
    )
  const [funding, claim] = [await load('fundingKeyFile'), await load('claimKeyFile')]
  if (funding.address === claim.address) {
    throw new EngineConfigError(
      'keys.claimKeyFile',
      'both files hold the same key: vouchers need a key that can move nothing else',
    )
  }
  return { funding, claim }
}

async function asConfig<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new EngineConfigError(path, error instanceof Error ? error.message : String(error))
  }
}
