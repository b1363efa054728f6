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
import type { QuestionLimit } from './question-limit.ts'
import type { TokenAbility } from './token-abilities.ts'
import type { TransferBook } from './transfer-book.ts'
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
 * - `transfer-failed`: a plain transfer was reverted, or not carried out while its signature was good
 * - `payment-refused`: the peer does not credit a transfer of the native coin that it was paid; it is told again
 * - `close-failed`: closing a channel, or asking for it, failed on the chain: it is open again
 * - `claim-failed`: handing a voucher in failed on the chain: it is tried again
 * - `books-old`: the node, the peer or the chain knows more than the books; they were raised to it
 * - `books-lost`: orders of the node that are not in the books may have been paid: they are left alone
 * - `surplus`: more was paid to the peer than the node knows orders for; it pays the next ones
 * - `doubtful-credit`: money of a channel that neither books nor node account for is in the node's SUSPENSE
 * - `voucher-missing`: a channel is closing, and the voucher for what was credited is lost
 * - `deposit-gone`: a deposit that counted as final is no longer there; the account gets no further credit
 * - `payout-deferred`: a claim counted, and the contract could not pay it out: it keeps the money for us
 * - `rounds-fail`: something that is tried in each round has failed for long
 */
export type EngineAlarmCode =
  | 'peer-closing'
  | 'channel-lost'
  | 'deposit-failed'
  | 'budget'
  | 'transfer-failed'
  | 'payment-refused'
  | 'close-failed'
  | 'claim-failed'
  | 'books-old'
  | 'books-lost'
  | 'surplus'
  | 'doubtful-credit'
  | 'voucher-missing'
  | 'deposit-gone'
  | 'payout-deferred'
  | 'rounds-fail'

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
  readonly transferBook: TransferBook
  /** Of the configured tokens, as the chain tells them. */
  readonly scales: ReadonlyMap<Hex, number>
  /** Tokens that take signatures, and what they take; the others are not in it. */
  readonly abilities: ReadonlyMap<Hex, TokenAbility>
  /** First block whose plain transfers to us count; undefined: none do. */
  readonly transfersFrom: number | undefined
  /** What messages of peers may ask of the chain. */
  readonly questions: QuestionLimit
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
