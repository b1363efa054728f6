import { formatGwei, type Hex, keccak256 } from 'viem'
import { Chain } from '../../../settlement-engines/evm/chain.ts'
import { isSettlementChannels } from '../../../settlement-engines/evm/contract/runtime-code.ts'
import { JsonRpcEndpoint } from '../../../settlement-engines/evm/json-rpc-endpoint.ts'
import type { Block } from '../../../settlement-engines/evm/rpc-answers.ts'
import { toBytes, toCount } from '../../../settlement-engines/evm/rpc-values.ts'
import { silentLogger } from '../../lib/logger.ts'
import { type Finding, failed, ok, warning } from '../doctor/finding.ts'

const DEADLINE_MS = 5_000
/** Chains make a block at least every few seconds, Ethereum every 12: an older one is a node that lags, or a chain that stands. */
const BLOCK_AGE_MAX_MS = 120_000

export interface CheckedContract {
  chainId: number
  /** Hash of the code at the address; undefined: none is there. */
  codeHash: string | undefined
  findings: Finding[]
}

/**
 * Whether an RPC node and a contract can be settled with.
 * @param options.chainId that is expected; undefined: any
 * @throws ChainError when the node does not answer
 */
export async function checkContract(options: {
  rpcUrl: string
  contract: string
  chainId: number | undefined
  nowMs: number
}): Promise<CheckedContract> {
  const { nowMs, rpcUrl } = options
  const endpoint = new JsonRpcEndpoint({ url: rpcUrl, deadlineMs: DEADLINE_MS })
  const question = { method: 'eth_chainId', params: [] }
  const chainId = toCount(await endpoint.request(question, new AbortController().signal), 'chain id')
  const chain = new Chain({ urls: [rpcUrl], chainId }, { logger: silentLogger })
  const code = await chain.request('eth_getCode', [options.contract, 'latest'], (value) =>
    toBytes(value, 'code'),
  )
  const latest = await chain.block('latest')
  const findings = [
    chainFinding(endpoint.name, chainId, options.chainId),
    ...(latest === undefined
      ? [failed('newest block', 'the node knows none', 'Wait until it has caught up, or use another')]
      : [ageFinding(latest, nowMs), feeFinding(latest), ...(await finalityFindings(chain, latest))]),
    codeFinding(code),
  ]
  return { chainId, codeHash: code === '0x' ? undefined : keccak256(code), findings }
}

function chainFinding(node: string, chainId: number, expected: number | undefined): Finding {
  if (expected === undefined || expected === chainId) return ok('chain', `${node} serves chain ${chainId}`)
  const fix = 'Check the URL and the chain id'
  return failed('chain', `${node} serves chain ${chainId}, not ${expected}`, fix)
}

function ageFinding({ number, timestampMs }: Block, nowMs: number): Finding {
  const ageMs = nowMs - timestampMs
  const text = `${number}, ${Math.round(ageMs / 1000)} s old`
  if (Math.abs(ageMs) <= BLOCK_AGE_MAX_MS) return ok('newest block', text)
  return warning(
    'newest block',
    text,
    'The node may lag, the chain stand still, or the clock of this machine be wrong',
  )
}

function feeFinding({ baseFeePerGas }: Block): Finding {
  if (baseFeePerGas !== undefined) return ok('fees', `base fee ${formatGwei(baseFeePerGas)} gwei`)
  return failed('fees', 'the chain has no base fee (EIP-1559)', 'The engine cannot send transactions there')
}

async function finalityFindings(chain: Chain, latest: Block): Promise<Finding[]> {
  return await Promise.all(
    (['finalized', 'safe'] as const).map(async (tag) => {
      try {
        const block = await chain.block(tag)
        if (block !== undefined)
          return ok(tag, `block ${block.number}, ${latest.number - block.number} behind`)
      } catch {
        // A node that does not know the word refuses the question.
      }
      return warning(
        tag,
        'the node knows no such block',
        'Choose another finality for the engine, or another node',
      )
    }),
  )
}

function codeFinding(code: Hex): Finding {
  if (isSettlementChannels(code)) return ok('contract', 'SettlementChannels of this version')
  const fix = 'Check the address, or deploy with "causeway evm deploy"'
  if (code === '0x') return failed('contract', 'there is no contract at the address', fix)
  return failed('contract', 'another contract, or another version of SettlementChannels', fix)
}
