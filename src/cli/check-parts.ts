import type { ConfigProblem } from '../config/config-error.ts'
import type { LoadedConfiguration } from '../config/load.ts'
import { checkEngines } from '../node/check-engines.ts'
import { checkPlugins } from './check-plugins.ts'

/** Has plugins and settlement engines check what is theirs in the configuration. Nothing is started. */
export async function checkParts(loaded: LoadedConfiguration): Promise<ConfigProblem[]> {
  return [...(await checkPlugins(loaded)), ...(await checkEngines(loaded))]
}
