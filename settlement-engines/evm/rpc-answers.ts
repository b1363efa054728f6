import type { Hex } from 'viem'
import { ChainError } from './chain-error.ts'
import { toAddress, toBytes, toCount, toHash, toList, toQuantity, toRecord } from './rpc-values.ts'

/** The last second that a JavaScript date can show. */
const TIME_MAX_S = 8_640_000_000_000

export interface Block {
  readonly number: number
  readonly hash: Hex
  readonly parentHash: Hex
  /** Milliseconds since the epoch; the chain counts whole seconds. */
  readonly timestampMs: number
  /** Wei per gas; undefined on chains without EIP-1559. */
  readonly baseFeePerGas: bigint | undefined
}

export interface ChainLog {
  readonly address: Hex
  readonly topics: readonly Hex[]
  readonly data: Hex
  readonly blockNumber: number
  readonly blockHash: Hex
  readonly transactionHash: Hex
  readonly logIndex: number
}

export interface Receipt {
  readonly transactionHash: Hex
  readonly blockNumber: number
  readonly blockHash: Hex
  readonly succeeded: boolean
  /** Wei paid for gas. L2 data fees come on top on some chains. */
  readonly feePaid: bigint
  readonly logs: readonly ChainLog[]
}

/** A transaction as the chain knows it; the block is undefined while it waits. */
export interface ChainTransaction {
  readonly hash: Hex
  readonly from: Hex
  readonly nonce: number
  readonly blockNumber: number | undefined
  readonly blockHash: Hex | undefined
}

export interface FeeMarket {
  /** Base fee of the next block, wei per gas. */
  readonly baseFee: bigint
  /** What others paid on top in the last blocks, wei per gas, by percentile. */
  readonly priorityMiddle: bigint
  readonly priorityHigh: bigint
}

/** Undefined: the node does not know the block. @throws ChainError `bad-answer` */
export function toBlock(value: unknown): Block | undefined {
  if (value === null) return undefined
  const block = toRecord(value, 'a block')
  const baseFee = block.baseFeePerGas
  const timeS = toCount(block.timestamp, 'block time')
  if (timeS > TIME_MAX_S) throw new ChainError('bad-answer', `a node tells a block of second ${timeS}`)
  return {
    number: toCount(block.number, 'block number'),
    hash: toHash(block.hash, 'block hash'),
    parentHash: toHash(block.parentHash, 'parent hash'),
    timestampMs: timeS * 1000,
    baseFeePerGas: baseFee === undefined || baseFee === null ? undefined : toQuantity(baseFee, 'base fee'),
  }
}

/** @throws ChainError `bad-answer` */
export function toLog(value: unknown): ChainLog {
  const log = toRecord(value, 'a log')
  if (log.removed === true) throw new ChainError('bad-answer', 'a node lists a log that was removed')
  return {
    address: toAddress(log.address, 'log address'),
    topics: toList(log.topics, 'log topics').map((topic) => toHash(topic, 'log topic')),
    data: toBytes(log.data, 'log data'),
    blockNumber: toCount(log.blockNumber, 'block number of a log'),
    blockHash: toHash(log.blockHash, 'block hash of a log'),
    transactionHash: toHash(log.transactionHash, 'transaction of a log'),
    logIndex: toCount(log.logIndex, 'log index'),
  }
}

/** Undefined: not mined, as far as the node knows. @throws ChainError `bad-answer` */
export function toReceipt(value: unknown, hash: Hex): Receipt | undefined {
  if (value === null) return undefined
  const receipt = toRecord(value, 'a receipt')
  const transactionHash = toHash(receipt.transactionHash, 'transaction of a receipt')
  if (transactionHash !== hash) throw new ChainError('bad-answer', 'a receipt is of another transaction')
  const status = toCount(receipt.status, 'receipt status')
  if (status > 1) throw new ChainError('bad-answer', `receipt status is ${status}`)
  const gasUsed = toQuantity(receipt.gasUsed, 'gas used')
  return {
    transactionHash,
    blockNumber: toCount(receipt.blockNumber, 'block number of a receipt'),
    blockHash: toHash(receipt.blockHash, 'block hash of a receipt'),
    succeeded: status === 1,
    feePaid: gasUsed * toQuantity(receipt.effectiveGasPrice, 'gas price'),
    logs: toList(receipt.logs, 'logs of a receipt').map(toLog),
  }
}

/** @throws ChainError `bad-answer` */
export function toTransaction(value: unknown): ChainTransaction | undefined {
  if (value === null) return undefined
  const transaction = toRecord(value, 'a transaction')
  const { blockNumber, blockHash } = transaction
  const isMined = blockNumber !== null && blockNumber !== undefined
  return {
    hash: toHash(transaction.hash, 'transaction hash'),
    from: toAddress(transaction.from, 'sender'),
    nonce: toCount(transaction.nonce, 'nonce'),
    blockNumber: isMined ? toCount(blockNumber, 'block number of a transaction') : undefined,
    blockHash: isMined ? toHash(blockHash, 'block hash of a transaction') : undefined,
  }
}

/**
 * Answer of `eth_feeHistory` over `blocks` blocks, with the percentiles of {@link FeeMarket}.
 * @throws ChainError `bad-answer`
 */
export function toFeeMarket(value: unknown, blocks: number): FeeMarket {
  const history = toRecord(value, 'fee history')
  const listed = toList(history.baseFeePerGas, 'base fees')
  // That of the next block comes on top.
  if (listed.length > blocks + 1) throw new ChainError('bad-answer', 'a node tells more base fees than asked')
  const baseFees = listed.map((fee) => toQuantity(fee, 'base fee'))
  const baseFee = baseFees.at(-1)
  if (baseFee === undefined) throw new ChainError('bad-answer', 'a node tells no base fee')
  const { reward } = history
  const rows = reward === undefined || reward === null ? [] : toList(reward, 'rewards')
  if (rows.length > blocks) throw new ChainError('bad-answer', 'a node tells more rewards than asked')
  const column = (index: number): bigint => {
    const fees = rows.map((row) => toQuantity(toList(row, 'rewards of a block')[index], 'reward'))
    return fees.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))[fees.length >> 1] ?? 0n
  }
  return { baseFee, priorityMiddle: column(0), priorityHigh: column(1) }
}
