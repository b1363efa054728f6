import type { LoadedConfiguration } from '../../config/load.ts'
import { openEvmKeys } from '../../node/open-evm-keys.ts'
import { EngineConfigError } from '../../settlement/engine.ts'
import { type Finding, failed, ok } from './finding.ts'

const FIX = 'The engine does not start without them'

/**
 * Opens the key files of the EVM settlement engines, as a start does: there, private, with the right password. Their
 * sections have been checked.
 */
export async function checkEngineKeys({
  baseDirectory,
  config,
  secrets,
}: LoadedConfiguration): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [name, section] of Object.entries(config.settlement.engines)) {
    if (section.type !== 'evm') continue
    try {
      const { funding, claim } = await openEvmKeys(secrets.resolveAll(section), baseDirectory)
      findings.push(ok('engine keys', `${name}: funding ${funding.address}, claims ${claim.address}`))
    } catch (error) {
      if (!(error instanceof EngineConfigError)) throw error
      findings.push(failed('engine keys', `settlement.engines.${name}.${error.path}: ${error.message}`, FIX))
    }
  }
  return findings
}
