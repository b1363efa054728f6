import { isAbsolute, join, resolve } from 'node:path'
import type { EvmEngineOptions } from '../../settlement-engines/evm/engine/evm-options.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { EngineConfigError, type EngineHost, type SettlementEngine } from '../settlement/engine.ts'
import { parseRfc38Section } from './rfc38-section.ts'

/** A section of `settlement.engines`, its secrets in the clear. */
export type EngineSection = Record<string, unknown> & { readonly type: string }

export interface EngineParts {
  readonly host: EngineHost
  readonly clock: Clock
  readonly logger: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Absolute; the engine's books are made below it. */
  readonly dataDirectory: string
  /** Where relative paths in the section start. */
  readonly baseDirectory: string
  /** What an operator must see to; the engine logs it as well. */
  readonly alarm?: (code: string, fields: Record<string, unknown>) => void
}

/**
 * The engine that a section describes, not started. Its code is loaded only now: a node that does not settle over a
 * network does without that network's libraries.
 * @throws EngineConfigError for options that cannot work
 */
export async function createEngine(
  name: string,
  section: EngineSection,
  parts: EngineParts,
): Promise<SettlementEngine> {
  const { type, ...options } = section
  switch (type) {
    case 'evm':
      return await createEvmEngine(name, options, parts)
    case 'rfc38':
      return await createRfc38Engine(name, options, parts)
    default:
      throw new EngineConfigError('type', `there is no engine of type "${type}"`)
  }
}

async function createEvmEngine(
  name: string,
  options: Record<string, unknown>,
  parts: EngineParts,
): Promise<SettlementEngine> {
  const { EvmEngine } = await import('../../settlement-engines/evm/engine/evm-engine.ts')
  return new EvmEngine(evmOptions(name, options, parts), parts)
}

/** The section as the engine takes it: with its name, the place of its books, and absolute paths. */
function evmOptions(
  name: string,
  options: Record<string, unknown>,
  { baseDirectory, dataDirectory }: Pick<EngineParts, 'baseDirectory' | 'dataDirectory'>,
): EvmEngineOptions {
  for (const key of ['name', 'directory']) {
    if (key in options) throw new EngineConfigError(key, `${key} is given by the node: leave it out`)
  }
  const directory = join(dataDirectory, 'settlement', name)
  const keys = absolutePaths(options.keys, baseDirectory)
  // The engine checks all of it.
  return { ...options, name, directory, keys } as unknown as EvmEngineOptions
}

/** The files of a section; relative paths start at `baseDirectory`. What is no path stays for the engine to refuse. */
export function absolutePaths(keys: unknown, baseDirectory: string): unknown {
  if (typeof keys !== 'object' || keys === null) return keys
  const absolute = (path: unknown) =>
    typeof path === 'string' && path !== '' && !isAbsolute(path) ? resolve(baseDirectory, path) : path
  return Object.fromEntries(Object.entries(keys).map(([key, path]) => [key, absolute(path)]))
}

async function createRfc38Engine(
  name: string,
  options: Record<string, unknown>,
  parts: EngineParts,
): Promise<SettlementEngine> {
  const [{ Rfc38Engine }, { EngineJournal }] = await Promise.all([
    import('../settlement/rfc38/rfc38-engine.ts'),
    import('../settlement/rfc38/engine-journal.ts'),
  ])
  const journal = new EngineJournal(join(parts.dataDirectory, `settlement-${name}.db`))
  return new Rfc38Engine(parseRfc38Section(name, options), { ...parts, journal })
}
