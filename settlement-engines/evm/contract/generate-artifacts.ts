import { keccak256 } from 'viem'
import { buildSolidity, type SolidityBuild } from './build-solidity.ts'

const CONTRACT = 'settlement-engines/evm/contract'
const TEST = 'test/support/contracts'
const DEMO = 'src/cli/settle-demo'

/** Contracts of tests and of the demonstration. */
const TEST_FILES = [
  `${TEST}/ChannelsProbe.sol`,
  `${TEST}/HostileReceivers.sol`,
  `${TEST}/HostileTokens.sol`,
  `${TEST}/TestTokens.sol`,
]

/** A file that is made from the Solidity sources and committed. */
export interface GeneratedFile {
  /** Below the project's root. */
  readonly path: string
  readonly text: string
}

/** Compiles everything. Takes some seconds. */
export function generateArtifacts(): readonly GeneratedFile[] {
  const test = buildSolidity(TEST_FILES)
  return [
    ...channelFiles(buildSolidity([`${CONTRACT}/SettlementChannels.sol`])),
    testFile(test),
    demoFile(test),
  ]
}

function channelFiles(build: SolidityBuild): GeneratedFile[] {
  const contract = build.contracts.get('SettlementChannels')!
  const artifact = {
    contractName: 'SettlementChannels',
    compiler: build.compiler,
    settings: build.settings,
    inputHash: build.inputHash,
    // Of the code on the chain with its immutables zeroed: what `runtime-code.ts` compares.
    runtimeHash: keccak256(contract.runtime),
    immutables: contract.immutables,
    bytecode: contract.bytecode,
    abi: contract.abi,
  }
  const abi = [
    '// Made by compile.ts from SettlementChannels.sol. Do not edit.',
    '',
    '/** The ABI of SettlementChannels, typed for viem; the same as in `settlement-channels.json`. */',
    `export const settlementChannelsAbi = ${literal(contract.abi)} as const`,
  ]
  return [
    { path: `${CONTRACT}/settlement-channels.json`, text: json(artifact) },
    { path: `${CONTRACT}/settlement-channels-abi.ts`, text: `${abi.join('\n')}\n` },
  ]
}

function testFile(build: SolidityBuild): GeneratedFile {
  const contracts: Record<string, unknown> = {}
  for (const [name, { abi, bytecode }] of build.contracts) contracts[name] = { bytecode, abi }
  return {
    path: `${TEST}/test-contracts.json`,
    text: json({ compiler: build.compiler, inputHash: build.inputHash, contracts }),
  }
}

/** The token of the demonstration, which is part of the package; the tests are not. */
function demoFile({ compiler, contracts }: SolidityBuild): GeneratedFile {
  const { bytecode } = contracts.get('TestToken')!
  return {
    path: `${DEMO}/demo-token.json`,
    text: json({ source: `${TEST}/TestTokens.sol`, contractName: 'TestToken', compiler, bytecode }),
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** A TypeScript literal in the project's format. */
function literal(value: unknown, indent = ''): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value !== 'object' || value === null) return String(value)
  const inner = `${indent}  `
  const lines = Array.isArray(value)
    ? value.map((entry) => `${inner}${literal(entry, inner)},\n`)
    : Object.entries(value).map(([key, entry]) => `${inner}${key}: ${literal(entry, inner)},\n`)
  const [left, right] = Array.isArray(value) ? '[]' : '{}'
  return lines.length === 0 ? `${left}${right}` : `${left}\n${lines.join('')}${indent}${right}`
}
