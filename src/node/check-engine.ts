import type { ConfigProblem } from '../config/config-error.ts'
import { EngineConfigError } from '../settlement/engine.ts'
import { createEngine, type EngineParts, type EngineSection } from './create-engine.ts'

/** What is wrong with an option, and where: `path` starts at the section, and is empty for all of it. */
export interface OptionProblem {
  readonly path: string
  readonly message: string
}

/** What is wrong with an engine's section, as far as it shows without starting the engine. */
export async function checkEngine(
  name: string,
  section: EngineSection,
  parts: EngineParts,
): Promise<OptionProblem[]> {
  if (section.type === 'evm') {
    const { checkEvmOptions } = await evmOptions()
    const problems = checkEvmOptions(section)
    if (problems.length > 0) return problems
  }
  try {
    await createEngine(name, section, parts)
    return []
  } catch (error) {
    if (!(error instanceof EngineConfigError)) throw error
    return [{ path: error.path, message: error.message }]
  }
}

/** What is wrong with an account that an engine of this section is to settle: its asset, and `settlement.options`. */
export async function checkAccount(
  section: EngineSection,
  assetCode: string,
  options: Record<string, unknown>,
): Promise<OptionProblem[]> {
  if (section.type === 'rfc38') {
    const message = 'unknown option: a foreign engine takes no options per account'
    return Object.keys(options).map((path) => ({ path, message }))
  }
  const { checkEvmAccountOptions } = await evmOptions()
  const problems = checkEvmAccountOptions(options)
  if (Object.hasOwn(section.assets as object, assetCode)) return problems
  const message = `the asset ${assetCode} is not among the engine's assets: add it there`
  return [...problems, { path: '', message }]
}

/** The problems of a section as those of the file that holds it at `path`. */
export function problemsAt(path: string, found: readonly OptionProblem[]): ConfigProblem[] {
  return found.map((one) => ({ ...one, path: one.path === '' ? path : `${path}.${one.path}` }))
}

async function evmOptions() {
  return await import('../../settlement-engines/evm/engine/evm-options.ts')
}
