import type { Hex } from 'viem'
import type { Clock } from '../../../src/lib/clock.ts'
import type { Logger } from '../../../src/lib/logger.ts'
import type { Chain } from '../chain.ts'
import type { EngineStore } from '../engine-store.ts'
import type { SigningKey } from '../signing-key.ts'
import type { TxSender } from '../tx-sender.ts'
import type { AccountBook } from './account-book.ts'
import type { ChannelBook } from './channel-book.ts'
import type { ChannelContract } from './channel-contract.ts'
import type { CreditBook } from './credit-book.ts'
import type { EvmSettings } from './evm-options.ts'
import type { OrderBook } from './order-book.ts'
import type { PeerAnswer, PeerBody, PeerRequestType } from './peer-messages.ts'
import type { ChannelsDomain } from './voucher.ts'

/** Places between which a process may end; each leaves something else behind. For fault tests. */
export const ENGINE_STEPS = [
  'order-stored',
  'deposit-stored',
  'voucher-signed',
  'voucher-stored',
  'claim-sent',
  'ack-stored',
  'voucher-accepted',
  'end-told',
  'credit-told',
] as const
export type EngineStep = (typeof ENGINE_STEPS)[number]

/**
 * What an operator must see to; the engine goes on as far as that is safe.
 * - `peer-closing`: the payer asked for a close; our best voucher is being handed in
 * - `channel-lost`: a channel ended with less claimed than was credited
 * - `deposit-failed`: opening or topping up a channel failed on the chain
 * - `budget`: orders wait because no more may be put into channels
 * - `transfer-failed`: a plain transfer was reverted
 */
export type EngineAlarmCode =
  | 'peer-closing'
  | 'channel-lost'
  | 'deposit-failed'
  | 'budget'
  | 'transfer-failed'

/** What the parts of a running engine share. */
export interface EngineCore {
  readonly settings: EvmSettings
  readonly domain: ChannelsDomain
  readonly chain: Chain
  readonly store: EngineStore
  readonly sender: TxSender
  readonly contract: ChannelContract
  readonly funding: SigningKey
  readonly claimKey: SigningKey
  readonly accounts: AccountBook
  readonly orders: OrderBook
  readonly channels: ChannelBook
  readonly credits: CreditBook
  /** Of the configured tokens, as the chain tells them. */
  readonly scales: ReadonlyMap<Hex, number>
  readonly clock: Clock
  readonly logger: Logger
  readonly alarm: (code: EngineAlarmCode, fields: Record<string, unknown>) => void
  readonly checkpoint: (step: EngineStep) => void
  /** @throws PeerMessageError */
  readonly ask: <T extends PeerRequestType>(
    accountId: string,
    type: T,
    body: PeerBody,
  ) => Promise<PeerAnswer<T>>
  /** Looks at everything soon. */
  readonly wake: () => void
}
