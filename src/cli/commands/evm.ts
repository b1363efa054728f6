import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import {
  addJsonOption,
  type CommandContext,
  type JsonFlags,
  openOutput,
  wholeNumber,
} from '../command-context.ts'
import { renderFindings } from '../doctor/render-findings.ts'
import { ExitCode } from '../exit-code.ts'
import { formatAmount, toSmallestUnits } from '../format-amount.ts'
import { renderFields } from '../output.ts'
import { registerEvmKey } from './evm-key.ts'
import { addPasswordOption, type PasswordFlags, passwordOf } from './evm-password.ts'

const GWEI_SCALE = 9
const COIN_SCALE = 18
const WAIT_SECONDS_MAX = 86_400
const DEPTH_MAX = 10_000

interface RpcFlags extends JsonFlags {
  rpc?: string
  rpcUrlFile?: string
}

interface DeployFlags extends RpcFlags, PasswordFlags {
  key: string
  chainId: number
  maxFee: bigint
  depth?: number
  wait: number
  withoutProxy?: boolean
}

interface CheckFlags extends RpcFlags {
  contract: string
  chainId?: number
}

export function registerEvm(program: Command, context: CommandContext): void {
  const evm = program.command('evm').description('keys and the contract of the EVM settlement engine')
  registerEvmKey(evm, context)
  registerDeploy(evm, context)
  registerCheck(evm, context)
}

function registerDeploy(evm: Command, context: CommandContext): void {
  const command = evm
    .command('deploy')
    .description('deploy the contract SettlementChannels, once per chain, and wait until it is final')
    .requiredOption('--key <file>', 'key file of the account that pays; no running node may use it')
    .requiredOption('--chain-id <number>', 'the chain that must answer', parseChainId)
    .addOption(
      new Option('--max-fee <gwei>', 'most to pay per gas')
        .argParser(parseGwei)
        .default(500n * 10n ** BigInt(GWEI_SCALE), '500'),
    )
    .option(
      '--depth <blocks>',
      'count as final what is so many blocks deep, where the chain tells no finalized block',
      wholeNumber(0, DEPTH_MAX),
    )
    .option('--wait <seconds>', 'how long to wait', wholeNumber(1, WAIT_SECONDS_MAX), 1_800)
    .option(
      '--without-proxy',
      'a plain creation, for chains without the deterministic deployment proxy: each run makes another contract',
    )
  addRpcOptions(addPasswordOption(command)).action(async (flags: DeployFlags) => {
    const { io } = context
    const output = openOutput(flags, context)
    const rpcUrl = rpcUrlOf(flags, context)
    const keyFile = resolve(io.workingDirectory, flags.key)
    const password = await passwordOf(keyFile, flags, context)
    const tools = await context.loaders.loadEvmTools()
    const { interrupted, now, sleep } = io
    const deployed = await tools.deploy(
      {
        rpcUrl,
        chainId: flags.chainId,
        keyFile,
        password,
        maxFeePerGas: flags.maxFee,
        finality: flags.depth === undefined ? { kind: 'finalized' } : { kind: 'blocks', depth: flags.depth },
        waitMs: flags.wait * 1000,
        withoutProxy: flags.withoutProxy === true,
      },
      { interrupted, now, sleep, note: (text) => output.note(text) },
    )
    const { chainId, contract, created, deployer, feePaid, gasUsed, transaction } = deployed
    output.result(deployed, () =>
      renderFields([
        ['contract', created ? contract : `${contract} (was there already; nothing was sent)`],
        ['chain', String(chainId)],
        ['deployer', created ? deployer : undefined],
        ['transaction', transaction],
        ['gas', gasUsed?.toString()],
        ['fee', feePaid === undefined ? undefined : `${formatAmount(String(feePaid), COIN_SCALE)} coins`],
      ]),
    )
  })
}

function registerCheck(evm: Command, context: CommandContext): void {
  const command = evm
    .command('check')
    .description('check an RPC node and the contract: chain, age of blocks, fees, finality, code')
    .requiredOption('--contract <address>', 'where SettlementChannels is deployed', parseAddress)
    .option('--chain-id <number>', 'the chain that is expected', parseChainId)
  addRpcOptions(command).action(async (flags: CheckFlags) => {
    const output = openOutput(flags, context)
    const rpcUrl = rpcUrlOf(flags, context)
    const tools = await context.loaders.loadEvmTools()
    const { chainId, contract } = flags
    const checked = await tools.check({ rpcUrl, contract, chainId, nowMs: context.io.now() })
    const { findings } = checked
    const isHealthy = findings.every(({ status }) => status !== 'failed')
    output.result({ healthy: isHealthy, contract, ...checked }, () =>
      renderFindings(findings, 'the engine can settle there', output),
    )
    if (!isHealthy) context.setExitCode(ExitCode.failed)
  })
}

function addRpcOptions(command: Command): Command {
  return addJsonOption(
    command
      .option(
        '--rpc <url>',
        'JSON-RPC node; others can see it: with an access token in it, use --rpc-url-file',
      )
      .option('--rpc-url-file <file>', 'file that holds the URL'),
  )
}

function rpcUrlOf({ rpc, rpcUrlFile }: RpcFlags, { io }: CommandContext): string {
  if ((rpc === undefined) === (rpcUrlFile === undefined)) {
    throw new CliError(ExitCode.usage, 'say which node to ask: either --rpc or --rpc-url-file')
  }
  const text = rpc ?? readUrlFile(resolve(io.workingDirectory, rpcUrlFile!))
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CliError(ExitCode.usage, 'the node is not an http or https URL, e.g. http://127.0.0.1:8545')
  }
  if (rpc !== undefined && (url.username !== '' || url.password !== '')) {
    throw new CliError(ExitCode.usage, '--rpc must not hold a user name or password: use --rpc-url-file')
  }
  return text
}

function readUrlFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError(ExitCode.usage, `the file ${path} cannot be read (${code}). Check its path and owner`)
  }
}

const parseChainId = wholeNumber(1, Number.MAX_SAFE_INTEGER)

function parseAddress(text: string): string {
  if (/^0x[0-9a-fA-F]{40}$/.test(text)) return text
  throw new InvalidArgumentError('Give 0x and 40 hexadecimal digits.')
}

function parseGwei(text: string): bigint {
  try {
    return BigInt(toSmallestUnits(text, GWEI_SCALE))
  } catch {
    throw new InvalidArgumentError(`Give a decimal number with at most ${GWEI_SCALE} places, e.g. 2.5.`)
  }
}
