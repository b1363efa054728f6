import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Abi, Hex } from 'viem'

const ROOT = join(import.meta.dirname, '../../..')
const require = createRequire(import.meta.url)

/**
 * What is compiled how. Cancun has the transient storage of the re-entrancy guard. More optimizer runs than 200, or the
 * newer code generator, would make calls cheaper by about 1 %: not worth leaving the best trodden path.
 */
const SETTINGS = { evmVersion: 'cancun', optimizer: { enabled: true, runs: 200 } }

export interface CompiledContract {
  readonly abi: Abi
  /** Creation code; constructor arguments follow it. */
  readonly bytecode: Hex
  /** Code on the chain, with zeros where the constructor writes immutables. */
  readonly runtime: Hex
  /** The byte ranges of those. */
  readonly immutables: readonly { readonly start: number; readonly length: number }[]
}

export interface SolidityBuild {
  readonly compiler: string
  readonly settings: typeof SETTINGS
  /** SHA-256, hex, of the whole standard-JSON input: keys sorted, all imported sources in it. */
  readonly inputHash: string
  /** By contract name. */
  readonly contracts: ReadonlyMap<string, CompiledContract>
}

interface StandardOutput {
  readonly errors?: readonly Diagnostic[]
  readonly contracts?: Record<string, Record<string, OutputContract>>
}
interface Diagnostic {
  readonly severity: string
  readonly formattedMessage: string
  readonly sourceLocation?: { readonly file: string }
}
interface OutputContract {
  readonly abi: Abi
  readonly evm: {
    readonly bytecode: { readonly object: string }
    readonly deployedBytecode: {
      readonly object: string
      readonly immutableReferences: Record<string, { start: number; length: number }[]>
    }
  }
}
interface Compiler {
  version(): string
  compile(
    input: string,
    callbacks?: { import: (path: string) => { contents: string } | { error: string } },
  ): string
}

/**
 * Compiles Solidity files and takes the contracts that they define themselves, not the imported ones.
 * @param files paths below the project's root, with `/`
 * @throws Error with the compiler's own text, for errors anywhere and warnings about the project's own files
 */
export function buildSolidity(files: readonly string[]): SolidityBuild {
  const solc = require('solc') as Compiler
  const sources = collectSources(solc, files)
  const input = canonical({
    language: 'Solidity',
    sources: Object.fromEntries([...sources].map(([path, content]) => [path, { content }])),
    settings: {
      ...SETTINGS,
      outputSelection: {
        '*': {
          '*': [
            'abi',
            'evm.bytecode.object',
            'evm.deployedBytecode.object',
            'evm.deployedBytecode.immutableReferences',
          ],
        },
      },
    },
  })
  const output = run(solc, input)
  const contracts = new Map<string, CompiledContract>()
  for (const file of files) {
    for (const [name, contract] of Object.entries(output.contracts?.[file] ?? {})) {
      if (contract.evm.bytecode.object !== '') contracts.set(name, compiled(contract))
    }
  }
  return {
    compiler: solc.version(),
    settings: SETTINGS,
    inputHash: createHash('sha256').update(input).digest('hex'),
    contracts,
  }
}

/** The files and everything that they import, as the compiler asks for it. */
function collectSources(solc: Compiler, files: readonly string[]): Map<string, string> {
  const sources = new Map(files.map((file) => [file, readSource(file)]))
  const input = JSON.stringify({
    language: 'Solidity',
    sources: Object.fromEntries([...sources].map(([path, content]) => [path, { content }])),
    settings: { outputSelection: {} },
  })
  run(solc, input, (path) => {
    const contents = readSource(path)
    sources.set(path, contents)
    return { contents }
  })
  return sources
}

function run(solc: Compiler, input: string, find?: (path: string) => { contents: string }): StandardOutput {
  const text = solc.compile(input, find && { import: find })
  const output = JSON.parse(text) as StandardOutput
  const faults = output.errors?.filter(counts) ?? []
  if (faults.length > 0) {
    throw new Error(`solc: ${faults.map((fault) => fault.formattedMessage).join('\n')}`)
  }
  return output
}

function counts({ severity, sourceLocation }: Diagnostic): boolean {
  if (severity === 'error') return true
  return severity === 'warning' && sourceLocation?.file.startsWith('@') !== true
}

function readSource(path: string): string {
  const place = path.startsWith('@')
    ? join(dirname(require.resolve('@openzeppelin/contracts/package.json')), '../..', path)
    : join(ROOT, path)
  return readFileSync(place, 'utf8').replaceAll('\r\n', '\n')
}

function compiled({ abi, evm }: OutputContract): CompiledContract {
  const immutables = Object.values(evm.deployedBytecode.immutableReferences).flat()
  return {
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    runtime: `0x${evm.deployedBytecode.object}`,
    immutables: immutables.sort((left, right) => left.start - right.start),
  }
}

/** JSON with sorted keys, so that equal inputs have equal hashes. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  )
}
