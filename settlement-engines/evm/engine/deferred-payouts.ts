import { decodeEventLog, getAbiItem, type Hex, toEventSelector } from 'viem'
import { settlementChannelsAbi } from '../contract/settlement-channels-abi.ts'
import type { ChainLog } from '../rpc-answers.ts'

/** Money that the contract could not pay out and keeps for its owner. */
export interface DeferredPayout {
  /** Zero for the native coin. */
  readonly token: Hex
  readonly amount: bigint
}

const EVENT = toEventSelector(getAbiItem({ abi: settlementChannelsAbi, name: 'PayoutDeferred' }))

/** What a transaction should have paid to an account, and what waits in the contract instead. */
export function deferredPayouts(
  logs: readonly ChainLog[],
  { account, contract }: { account: Hex; contract: Hex },
): DeferredPayout[] {
  return logs.flatMap(({ address, data, topics }) => {
    const [event, ...rest] = topics
    if (address !== contract || event !== EVENT) return []
    try {
      const abi = settlementChannelsAbi
      const { args } = decodeEventLog({ abi, eventName: 'PayoutDeferred', data, topics: [event, ...rest] })
      const { account: owner, amount, token } = args
      return owner.toLowerCase() === account ? [{ token: token.toLowerCase() as Hex, amount }] : []
    } catch {
      // A node tells rubbish: that must not keep the outcome from being recorded.
      return []
    }
  })
}
