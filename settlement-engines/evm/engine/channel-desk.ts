import { zeroAddress } from 'viem'
import type { ChannelOperations, ChannelView } from '../../../src/settlement/engine.ts'
import type { AccountRecord } from './account-book.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'
import type { PayeeSide } from './payee-side.ts'
import type { PayerSide } from './payer-side.ts'

const MS_PER_S = 1000

/** What operators see of channels and may do with them. */
export class ChannelDesk implements ChannelOperations {
  readonly #core: EngineCore
  readonly #payee: PayeeSide
  readonly #payer: PayerSide
  readonly #views = new WeakMap<ChannelRecord, ChannelView>()

  constructor(core: EngineCore, deps: { payee: PayeeSide; payer: PayerSide }) {
    this.#core = core
    this.#payee = deps.payee
    this.#payer = deps.payer
  }

  views(): ChannelView[] {
    return this.#core.channels.all().map((channel) => this.#viewOf(channel))
  }

  async open(accountId: string, deposit: bigint): Promise<ChannelView> {
    const account = this.#account(accountId)
    if (account.mode === 'transfer') {
      throw new RangeError(
        `account ${accountId} settles by transfers: nothing would be paid through a channel`,
      )
    }
    const { maxDepositPerChannel } = this.#core.settings.assets[account.assetCode] ?? {}
    if (deposit <= 0n || maxDepositPerChannel === undefined || deposit > maxDepositPerChannel) {
      throw new RangeError(
        `the deposit must be above 0 and at most ${maxDepositPerChannel}, which is maxDepositPerChannel`,
      )
    }
    this.#checkBudget(account, deposit)
    const peer = await this.#payer.peerOf(account)
    // Other deposits may have begun while the peer was asked.
    this.#checkBudget(account, deposit)
    return this.#viewOf(this.#payer.open(account, peer, deposit))
  }

  async topUp(channelId: string, amount: bigint): Promise<ChannelView> {
    const channel = this.#channel(channelId, 'out')
    if (amount <= 0n) throw new RangeError('the amount must be above 0')
    const account = this.#account(channel.accountId)
    this.#checkBudget(account, amount)
    const room = this.#payer.roomIn(account, channel)
    if (amount > room) throw new RangeError(`maxDepositPerChannel leaves ${room} for this channel`)
    this.#payer.topUp(channel, amount)
    return this.#view(channelId)
  }

  async claim(channelId: string): Promise<ChannelView> {
    const channel = this.#channel(channelId, 'in')
    if (channel.held <= channel.claimed) throw new RangeError(nothingToClaim(channel))
    this.#payee.claims.handIn([channel])
    return this.#view(channelId)
  }

  /** An incoming channel ends at once. For an outgoing one the peer is asked, and the chain, which takes its delay. */
  async close(channelId: string): Promise<ChannelView> {
    const channel = this.#channel(channelId)
    if (channel.direction === 'in') {
      this.#payee.close(channel)
      return this.#view(channelId)
    }
    this.#payer.requestClose(channel)
    try {
      await this.#core.ask(channel.accountId, 'requestClose', { channelId })
    } catch (error) {
      this.#core.logger.info('the peer does not close at once', { channelId, reason: String(error) })
    }
    return this.#view(channelId)
  }

  #checkBudget(account: AccountRecord, amount: bigint): void {
    const left = this.#payer.budgetLeft(account)
    if (amount > left) throw new RangeError(`totalBudget leaves ${left} for further deposits`)
  }

  #account(accountId: string): AccountRecord {
    const account = this.#core.accounts.find(accountId)
    if (account === undefined) throw new RangeError(`the engine has no account ${accountId}`)
    return account
  }

  #channel(channelId: string, direction?: 'in' | 'out'): ChannelRecord {
    const channel = this.#core.channels.find(channelId)
    if (channel === undefined) throw new RangeError(`there is no channel ${channelId}`)
    if (direction !== undefined && channel.direction !== direction) {
      throw new RangeError(
        direction === 'in'
          ? `we pay in channel ${channelId}: its payee alone claims`
          : `we are paid in channel ${channelId}: its payer alone puts more in`,
      )
    }
    if (channel.state !== 'open') throw new RangeError(`channel ${channelId} is ${channel.state}, not open`)
    return channel
  }

  #view(channelId: string): ChannelView {
    return this.#viewOf(this.#core.channels.find(channelId)!)
  }

  /** Few channels change between two looks at all. */
  #viewOf(channel: ChannelRecord): ChannelView {
    const known = this.#views.get(channel)
    if (known !== undefined) return known
    const view = viewOf(channel)
    this.#views.set(channel, view)
    return view
  }
}

/** A claim that pays nothing would cost its fees all the same. */
function nothingToClaim({ claimed, cumulative, id }: ChannelRecord): string {
  return cumulative > claimed
    ? `the voucher of channel ${id} is lost: have the peer reconnect, so that it sends it again`
    : `nothing is unclaimed in channel ${id}`
}

function viewOf(channel: ChannelRecord): ChannelView {
  const { accountId, claimed, closeAt, cumulative, deposited, direction, id, scale, state, token } = channel
  const isOwed = state !== 'closed' && cumulative > claimed
  return {
    id,
    accountId,
    direction,
    state,
    token: token === zeroAddress ? 'native' : token,
    tokenScale: scale,
    deposit: deposited,
    claimed,
    unclaimed: isOwed ? cumulative - claimed : 0n,
    expiresAtMs: closeAt === undefined ? undefined : closeAt * MS_PER_S,
  }
}
