import { resolve } from 'node:path'
import type { ConfigProblem } from '../config/config-error.ts'
import type { LoadedConfiguration } from '../config/load.ts'
import { systemClock } from '../lib/clock.ts'
import { silentLogger } from '../lib/logger.ts'
import type { EngineHost } from '../settlement/engine.ts'
import { checkAccount, checkEngine, problemsAt } from './check-engine.ts'
import type { EngineSection } from './create-engine.ts'

/** Has the settlement engines check their sections and the options of their peers. Nothing is started or opened. */
export async function checkEngines(loaded: LoadedConfiguration): Promise<ConfigProblem[]> {
  const { baseDirectory, config, secrets } = loaded
  const { dataDirectory } = config.node
  const deps = { clock: systemClock, logger: silentLogger, random: Math.random }
  const parts = { host: NO_HOST, ...deps, dataDirectory, baseDirectory }
  const problems: ConfigProblem[] = []
  const users = new Map<string, string>()
  for (const [name, section] of Object.entries(config.settlement.engines)) {
    const resolved = secrets.resolveAll(section)
    const found = await checkEngine(name, resolved, parts)
    problems.push(...problemsAt(`settlement.engines.${name}`, found))
    if (found.length > 0) continue
    const keyed = keyOf(resolved, baseDirectory)
    const other = keyed === undefined ? undefined : users.get(keyed)
    if (keyed !== undefined) users.set(keyed, name)
    if (other !== undefined) {
      problems.push({
        path: `settlement.engines.${name}.keys.fundingKeyFile`,
        message: `is that of "${other}" too, on the same chain: each would take what the other sends for a stranger's, and stop. Give each a key of its own, or settle both assets by one engine`,
      })
    }
    for (const [index, { asset, settlement }] of config.peers.entries()) {
      if (settlement?.engine !== name) continue
      const path = `peers[${index}].settlement.options`
      problems.push(...problemsAt(path, await checkAccount(resolved, asset.code, settlement.options)))
    }
  }
  return problems
}

/** An engine that is not started does not call its node. */
const NO_HOST = {} as EngineHost

/** The chain and the file of the funding key of an EVM engine: one key has one sequence of transactions per chain. */
function keyOf({ chainId, keys, type }: EngineSection, baseDirectory: string): string | undefined {
  if (type !== 'evm') return undefined
  const { fundingKeyFile } = keys as { fundingKeyFile: string }
  return `${String(chainId)} ${resolve(baseDirectory, fundingKeyFile)}`
}
