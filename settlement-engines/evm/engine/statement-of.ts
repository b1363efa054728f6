import type { EngineStatement } from '../../../src/settlement/engine.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'
import { max } from './min-max.ts'
import { sumOf } from './sum-of.ts'
import { totalOf } from './totals.ts'

/** What the books say of an account, and where they differ from what they should say. */
export function statementOf(
  { accounts, channels, orders, store }: EngineCore,
  accountId: string,
): EngineStatement {
  const scale = accounts.find(accountId)?.scale ?? 0
  const open = sumOf(orders.open(accountId))
  const surplus = totalOf(store, 'surplus', accountId)
  const differences = channels
    .ofAccount(accountId)
    .filter(({ direction }) => direction === 'in')
    .flatMap((channel) => differenceOf(channel) ?? [])
  if (surplus > 0n)
    differences.push(`${surplus} was paid to the peer and is for no order that the node knows`)
  return {
    accountId,
    settled: { amount: totalOf(store, 'settled', accountId), scale },
    open: { amount: open, scale },
    credited: { amount: totalOf(store, 'credited', accountId), scale },
    differences,
  }
}

function differenceOf({
  claimed,
  cumulative,
  deposited,
  held,
  id,
  state,
}: ChannelRecord): string | undefined {
  if (state === 'closed') {
    return claimed < cumulative
      ? `channel ${id} closed with ${claimed} paid of ${cumulative} credited`
      : undefined
  }
  if (deposited < cumulative)
    return `channel ${id} holds ${deposited}, and ${cumulative} was credited from it`
  if (max(held, claimed) < cumulative) {
    return `the voucher for ${cumulative} of channel ${id} is lost: the best one is of ${held}`
  }
  return undefined
}
