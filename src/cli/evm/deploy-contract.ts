import { concat, formatEther, getAddress, getContractAddress, type Hex, keccak256 } from 'viem'
import { Chain } from '../../../settlement-engines/evm/chain.ts'
import { ChainError } from '../../../settlement-engines/evm/chain-error.ts'
import { isSettlementChannels } from '../../../settlement-engines/evm/contract/runtime-code.ts'
import artifact from '../../../settlement-engines/evm/contract/settlement-channels.json' with { type: 'json' }
import { chooseFees } from '../../../settlement-engines/evm/fees.ts'
import { type Finality, isCanonical, readHeads } from '../../../settlement-engines/evm/finality.ts'
import type { Receipt } from '../../../settlement-engines/evm/rpc-answers.ts'
import { toBytes, toQuantity, toRecord } from '../../../settlement-engines/evm/rpc-values.ts'
import type { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { costOf, withMargin } from '../../../settlement-engines/evm/tx-terms.ts'
import { silentLogger } from '../../lib/logger.ts'
import { CliError } from '../cli-error.ts'
import type { CliIo } from '../cli-io.ts'
import { ExitCode } from '../exit-code.ts'

/**
 * The deterministic deployment proxy that most chains have: the contract's address follows from its code alone, so that
 * a second deployment finds the first.
 */
const PROXY = '0x4e59b44847b379578588920ca78fbf26c0b4956c'
const PROXY_CODE_HASH = '0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989'
const SALT: Hex = `0x${'00'.repeat(32)}`
const CREATION_CODE = artifact.bytecode as Hex
const POLL_MS = 4_000

export interface DeployOptions {
  rpcUrl: string
  chainId: number
  /** Wei per gas. */
  maxFeePerGas: bigint
  finality: Finality
  /** How long to wait until the contract is in a final block, milliseconds. */
  waitMs: number
  /** A plain creation, for chains without the proxy: each run makes another contract. */
  withoutProxy: boolean
}

/** What the command has of the world. */
export interface DeployWorld extends Pick<CliIo, 'interrupted' | 'now' | 'sleep'> {
  note(text: string): void
}

export interface DeployedContract {
  contract: string
  chainId: number
  /** Whether this run made it; otherwise it was there, and the fields below are undefined. */
  created: boolean
  deployer: string
  transaction: string | undefined
  gasUsed: bigint | undefined
  /** Wei. */
  feePaid: bigint | undefined
}

interface Parts extends DeployWorld {
  chain: Chain
  key: SigningKey
}

/** A creation on its way: where the contract will be, and the signed transaction. */
interface Creation {
  contract: Hex
  raw: Hex
  hash: Hex
}

/**
 * Puts SettlementChannels on a chain and waits until it is final there. With the proxy, nothing is sent when it is there
 * already. One transaction is signed per run, and only while none of the key's is waiting.
 * @throws CliError when nothing was sent, or it is not known what became of it
 */
export async function deployContract(
  options: DeployOptions,
  deps: DeployWorld & { key: SigningKey },
): Promise<DeployedContract> {
  const { chainId, rpcUrl, withoutProxy } = options
  const chain = new Chain({ urls: [rpcUrl], chainId }, { logger: silentLogger })
  const parts = { ...deps, chain }
  await chain.start()
  const untilMs = deps.now() + options.waitMs
  const result = { chainId, deployer: getAddress(deps.key.address), created: false }
  const nothing = { transaction: undefined, gasUsed: undefined, feePaid: undefined }
  if (!withoutProxy) {
    const contract = await proxiedAddress(chain)
    if (isSettlementChannels(await codeAt(chain, contract, 'latest'))) {
      return { ...result, ...nothing, contract: getAddress(contract) }
    }
  }
  // Before anything is sent: not every node can tell what is final.
  await readHeads(chain, options.finality)
  const creation = await sign(options, parts)
  deps.note(`sending ${creation.hash}; the contract will be at ${getAddress(creation.contract)}`)
  const receipt = await waitUntilFinal(creation, { finality: options.finality, untilMs }, parts)
  if (!isSettlementChannels(await codeAt(chain, creation.contract, 'latest'))) {
    throw new CliError(ExitCode.failed, `the transaction ${creation.hash} is final, but made no contract`)
  }
  const contract = getAddress(creation.contract)
  return { ...result, ...receipt, contract, created: true, transaction: creation.hash }
}

async function proxiedAddress(chain: Chain): Promise<Hex> {
  const code = await codeAt(chain, PROXY, 'latest')
  if (keccak256(code) !== PROXY_CODE_HASH) {
    throw new CliError(
      ExitCode.failed,
      `chain ${chain.chainId} does not have the deterministic deployment proxy (${PROXY}). Deploy with --without-proxy: each run then makes another contract`,
    )
  }
  return getContractAddress({ opcode: 'CREATE2', from: PROXY, salt: SALT, bytecode: CREATION_CODE })
}

async function sign(options: DeployOptions, { chain, key, now }: Parts): Promise<Creation> {
  const { chainId, maxFeePerGas: ceiling, withoutProxy } = options
  const from = key.address
  const nonce = await chain.transactionCount(from, 'latest')
  if ((await chain.transactionCount(from, 'pending')) > nonce) {
    throw new CliError(
      ExitCode.refused,
      `${from} has transactions waiting: wait until they are mined, then run this again. Use a key that no running node uses`,
    )
  }
  const call = withoutProxy
    ? { data: CREATION_CODE }
    : ({ to: PROXY, data: concat([SALT, CREATION_CODE]) } as const)
  const gas = withMargin(
    await chain.request('eth_estimateGas', [{ from, ...call }], (value) => toQuantity(value, 'gas estimate')),
  )
  const nowMs = now()
  const demand = { urgency: 'calm', createdMs: nowMs, deadlineMs: undefined, nowMs, ceiling } as const
  const fees = chooseFees(await chain.fees(), demand)
  if (fees === undefined) {
    throw new CliError(ExitCode.failed, 'the base fee is above --max-fee now: wait, or give more')
  }
  const cost = costOf(0n, gas, fees)
  if ((await chain.balance(from, 'latest')) < cost) {
    throw new CliError(
      ExitCode.failed,
      `${getAddress(from)} does not hold the ${formatEther(cost)} coins that the deployment may cost: send it more`,
    )
  }
  const raw = await key.account.signTransaction({ type: 'eip1559', chainId, nonce, gas, ...call, ...fees })
  const contract = withoutProxy
    ? getContractAddress({ from, nonce: BigInt(nonce) })
    : await proxiedAddress(chain)
  return { contract, raw, hash: keccak256(raw) }
}

/** Sends the same bytes until they are mined, and waits until their block is final, whatever the node answers. */
async function waitUntilFinal(
  { hash, raw }: Creation,
  { finality, untilMs }: { finality: Finality; untilMs: number },
  { chain, interrupted, note, now, sleep }: Parts,
): Promise<{ gasUsed: bigint; feePaid: bigint }> {
  let isMined = false
  let trouble = ''
  while (!interrupted.aborted && now() <= untilMs) {
    try {
      const receipt = await chain.receipt(hash)
      if (receipt === undefined) await chain.broadcast(raw, hash)
      else {
        if (!isMined) note(`mined in block ${receipt.blockNumber}; waiting until it is final`)
        isMined = true
        if (await isFinal(receipt, finality, chain)) return await costOfFinal(receipt, chain)
      }
      trouble = ''
    } catch (error) {
      if (!(error instanceof ChainError)) throw error
      trouble = `. The node: ${error.message}`
    }
    await sleep(POLL_MS, interrupted)
  }
  throw new CliError(
    interrupted.aborted ? ExitCode.interrupted : ExitCode.unknownOutcome,
    `stopped waiting for the transaction ${hash}, which ${isMined ? 'is mined and not final yet' : 'was sent and may still be mined'}: look for it before you deploy again${trouble}`,
  )
}

async function isFinal(receipt: Receipt, finality: Finality, chain: Chain): Promise<boolean> {
  const { blockHash: hash, blockNumber: number } = receipt
  const { final } = await readHeads(chain, finality)
  return number <= final.number && (await isCanonical(chain, { number, hash })) === true
}

async function costOfFinal(
  { feePaid, succeeded, transactionHash }: Receipt,
  chain: Chain,
): Promise<{ gasUsed: bigint; feePaid: bigint }> {
  if (!succeeded) {
    throw new CliError(ExitCode.failed, `the transaction ${transactionHash} failed on the chain`)
  }
  const gasUsed = await chain.request('eth_getTransactionReceipt', [transactionHash], (value) =>
    toQuantity(toRecord(value, 'a receipt').gasUsed, 'gas used'),
  )
  return { gasUsed, feePaid }
}

async function codeAt(chain: Chain, address: Hex, at: string): Promise<Hex> {
  return await chain.request('eth_getCode', [address, at], (value) => toBytes(value, 'code'))
}
