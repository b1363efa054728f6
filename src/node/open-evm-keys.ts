import type { EvmSettings } from '../../settlement-engines/evm/engine/evm-options.ts'
import type { EngineKeys } from '../../settlement-engines/evm/engine/load-keys.ts'
import { absolutePaths, type EngineSection } from './create-engine.ts'

/**
 * The keys of an EVM engine whose section has been checked; relative paths start at `baseDirectory`.
 * @throws EngineConfigError when a file cannot be used, or both hold the same key
 */
export async function openEvmKeys(section: EngineSection, baseDirectory: string): Promise<EngineKeys> {
  const { loadKeys } = await import('../../settlement-engines/evm/engine/load-keys.ts')
  return await loadKeys(absolutePaths(section.keys, baseDirectory) as EvmSettings['keys'])
}
