import type { Hex } from 'viem'
import { type EngineHost, type IncomingCredit, MessageRefusedError } from '../../../src/settlement/engine.ts'
import { ChainError } from '../chain-error.ts'
import { readHeads } from '../finality.ts'
import { calmTerms, type TxOutcome } from '../tx-intent.ts'
import type { AccountRecord } from './account-book.ts'
import type { ChannelOnChain } from './channel-contract.ts'
import { ChannelIntake, closing, foreign, notNow } from './channel-intake.ts'
import type { ChannelRecord } from './channel-record.ts'
import { Claims } from './claims.ts'
import { CreditCheck } from './credit-check.ts'
import type { EngineCore } from './engine-core.ts'
import { letOthersRun } from './let-others-run.ts'
import { max, min } from './min-max.ts'
import { type PeerBody, STATE_CHANNELS_MAX } from './peer-messages.ts'
import { cancelTries, retryPurpose } from './retry-purpose.ts'
import { isVoucherOf } from './voucher.ts'

const MS_PER_S = 1000

/** Channels that pay us: vouchers taken, handed in, and defended. One call per account at a time. */
export class PayeeSide {
  readonly claims: Claims
  readonly #core: EngineCore
  readonly #check: CreditCheck
  readonly #intake: ChannelIntake
  /** Channels that hold less than was credited, and their accounts. */
  readonly #uncovered = new Map<Hex, string>()
  /** Newest final block seen: a node whose newest block is below it lags, and its bad news is none. */
  #finalSeen = 0

  constructor(core: EngineCore, deps: { host: EngineHost }) {
    this.#core = core
    this.#check = new CreditCheck(core, deps)
    this.#intake = new ChannelIntake(core, {
      check: this.#check,
      sawFinal: (block) => this.#sawFinal(block),
    })
    for (const channel of core.channels.live('in')) this.#noteCover(channel)
    this.claims = new Claims(core)
  }

  /**
   * Takes a channel into the books, or looks at its deposit again.
   * @throws MessageRefusedError when it is not one that we accept from this peer
   */
  async acceptChannel(account: AccountRecord, channelId: Hex): Promise<ChannelRecord> {
    const channel = await this.#intake.take(account, channelId)
    if (channel.state !== 'open') throw closing()
    return channel
  }

  /**
   * Credits what is new in a voucher. Repeating the last one changes nothing.
   * @returns the figure of the voucher: that much is credited
   * @throws MessageRefusedError with nothing credited
   */
  async takeVoucher(
    account: AccountRecord,
    voucher: { channelId: Hex; cumulative: bigint; signature: Hex },
  ): Promise<bigint> {
    const { channels, domain } = this.#core
    const { channelId, cumulative, signature } = voucher
    let channel = channels.find(channelId) ?? (await this.#intake.take(account, channelId))
    if (channel.accountId !== account.id || channel.direction !== 'in') throw foreign()
    if (!isVoucherOf(channel.terms.signer, domain, voucher, signature)) {
      throw new MessageRefusedError('bad-signature', 'the voucher is not signed by the key of the channel')
    }
    await this.#pass(channelId)
    channel = channels.find(channelId)!
    // What came while the channel was closing is held and not credited: no answer may say so.
    if (cumulative === channel.held && cumulative <= channel.cumulative) return cumulative
    if (cumulative < channel.held) {
      throw new MessageRefusedError('stale-voucher', `the channel is at ${channel.held} already`)
    }
    if (cumulative <= channel.cumulative) {
      this.#keep(channelId, voucher)
      return cumulative
    }
    if (channel.state === 'open' && cumulative > channel.deposited) {
      channel = await this.#intake.take(account, channelId)
    }
    if (channel.state !== 'open') {
      // What it pays on the chain is credited then.
      if (cumulative <= channel.deposited) this.#keep(channelId, voucher)
      throw closing()
    }
    if (cumulative > channel.deposited) {
      throw new MessageRefusedError('above-deposit', `the channel holds ${channel.deposited}, finally`)
    }
    this.#refuseUncovered(account.id)
    this.#credit(account, voucher)
    return cumulative
  }

  /**
   * What the peer's channels have brought: a payer that lost its books takes them up from here.
   * @throws MessageRefusedError while our own books cannot be checked
   */
  async state(accountId: string): Promise<PeerBody[]> {
    const listed = () => this.#core.channels.live('in', accountId).slice(-STATE_CHANNELS_MAX)
    for (const { id } of listed()) await this.#pass(id)
    return listed().map(({ cumulative, id, held, signature }) => ({
      channelId: id,
      cumulative: String(held),
      ...(signature === undefined ? {} : { signature }),
      ...(cumulative === held ? {} : { credited: String(cumulative) }),
    }))
  }

  /**
   * Ends a channel, paid by its best voucher; the rest goes back to the payer at once.
   * @throws MessageRefusedError when the best voucher is lost: the payer has to send it again before
   */
  close(channel: ChannelRecord): void {
    const { channels, contract, sender, settings, store } = this.#core
    const { claimed, cumulative, held, id, signature } = channel
    if (max(held, claimed) < cumulative) {
      throw new MessageRefusedError('voucher-missing', `send the voucher of ${cumulative} again`)
    }
    store.transaction(() => {
      const call = contract.close(id, held, signature)
      // No voucher counts from here on: the one in the transaction is the last.
      channels.update(id, { state: 'closing' })
      const purpose = retryPurpose(sender, `close:${id}`)
      if (purpose !== undefined) sender.submit({ purpose, ...call, ...calmTerms(settings.feeBudget) })
    })
  }

  /** Inside the transaction that records the outcome. What failed can be asked for again. */
  closeEnded(channelId: Hex, outcome: TxOutcome): void {
    const { alarm, channels } = this.#core
    const channel = channels.find(channelId)
    if (outcome.kind === 'succeeded' || channel?.state !== 'closing') return
    alarm('close-failed', { channelId, outcome: outcome.kind })
    if (channel.closeAt === undefined) channels.update(channelId, { state: 'open' })
  }

  /** Looks at all incoming channels at the newest block: bad news counts at first sight. */
  async watch(): Promise<void> {
    const { channels, chain, contract, settings } = this.#core
    const live = channels.live('in')
    if (live.length === 0) return
    const ids = live.map(({ id }) => id)
    const { final, latest } = await readHeads(chain, settings.finality)
    if (latest.number < this.#finalSeen) throw new ChainError('lagging', 'a node lags behind a final block')
    const newest = await contract.read(ids, latest.number)
    const settled = await contract.read(ids, final.number)
    // Only now: a number that no node can answer for must not make all of them laggards.
    this.#sawFinal(final.number)
    const due: ChannelRecord[] = []
    for (const [index, { id }] of live.entries()) {
      const channel = this.#look(id, newest[index], settled[index], latest.timestampMs)
      if (channel !== undefined) due.push(channel)
      await letOthersRun(index)
    }
    this.claims.handIn(due)
    // Last: what the node cannot tell now must not keep channels from being defended.
    for (const id of ids) await this.#check.pass(id)
  }

  #sawFinal(block: number): void {
    this.#finalSeen = Math.max(this.#finalSeen, block)
  }

  /** @returns the channel when its voucher is to be handed in */
  #look(
    id: Hex,
    newest: ChannelOnChain | undefined,
    final: ChannelOnChain | undefined,
    chainNowMs: number,
  ): ChannelRecord | undefined {
    const { channels, clock, alarm, settings } = this.#core
    this.#checkDeposit(id, newest, final)
    if (newest === undefined || final === undefined) return undefined
    this.#creditClaimed(id, final.claimed)
    const channel = channels.find(id)!
    if (final.state === 'closed') {
      this.#uncovered.delete(id)
      this.#bury(channel, final.claimed)
      return undefined
    }
    const isClosing = newest.state !== 'open' || final.state !== 'open'
    if (isClosing && channel.state === 'open') {
      alarm('peer-closing', { channelId: id, closeAt: newest.closeAt, accountId: channel.accountId })
    }
    // A node that lags tells an open channel: only after the window is it certain that the request was taken back.
    const isInWindow = channel.closeAt !== undefined && chainNowMs < channel.closeAt * MS_PER_S
    const isOurs = channel.state === 'closing' && channel.closeAt === undefined
    const isStillClosing = isClosing || isInWindow || isOurs
    const closeAt = newest.closeAt ?? (isInWindow ? channel.closeAt : undefined)
    const hasUnclaimed = channel.held > newest.claimed
    const updated = channels.update(id, {
      state: isStillClosing ? 'closing' : 'open',
      claimed: newest.claimed,
      closeAt,
      unclaimedSinceMs: hasUnclaimed ? (channel.unclaimedSinceMs ?? clock.now()) : undefined,
    })
    if (
      isStillClosing &&
      channel.state === 'open' &&
      max(channel.held, newest.claimed) < channel.cumulative
    ) {
      alarm('voucher-missing', { channelId: id, held: channel.held, credited: channel.cumulative })
    }
    if (!hasUnclaimed) return undefined
    if (closeAt !== undefined) this.#defend(updated, closeAt, chainNowMs)
    if (isStillClosing) return undefined
    const asset = this.#assetOf(channel)
    const isOld = clock.now() - (updated.unclaimedSinceMs ?? clock.now()) >= settings.claimAgeMs
    const isWorthIt = asset !== undefined && channel.held - newest.claimed >= asset.claimAtValue
    return isOld || isWorthIt ? updated : undefined
  }

  /** The channel is gone: what was to be sent for it is taken back. */
  #bury(channel: ChannelRecord, claimed: bigint): void {
    const { alarm, channels, sender, store } = this.#core
    const { cumulative, held, id } = channel
    store.transaction(() => {
      channels.update(id, { state: 'closed', claimed, closeAt: undefined })
      this.claims.takeBack(channel)
      cancelTries(sender, `defend:${id}:${held}`)
      cancelTries(sender, `close:${id}`)
    })
    if (claimed < cumulative) alarm('channel-lost', { channelId: id, credited: cumulative, claimed })
  }

  /** The window is open: the best voucher goes in now, and its fees rise until it is mined. */
  #defend(channel: ChannelRecord, closeAt: number, chainNowMs: number): void {
    const { clock, contract, sender, settings } = this.#core
    const { held, id, signature } = channel
    const purpose = retryPurpose(sender, `defend:${id}:${held}`)
    if (signature === undefined || purpose === undefined) return
    const left = Math.max(closeAt * MS_PER_S - chainNowMs, 0)
    sender.submit({
      purpose,
      ...contract.claim(id, held, signature),
      gasLimit: undefined,
      feeBudget: settings.urgentFeeBudget,
      urgency: 'urgent',
      deadlineMs: clock.now() + Math.floor(left * settings.closingWindowShare),
    })
  }

  /** Before a credit is told: books that are old may hold what other books have told. @throws Error when not known now */
  async checkCredit({ id }: IncomingCredit): Promise<void> {
    await this.#check.passSourceOf(id)
  }

  async #pass(channelId: Hex): Promise<void> {
    try {
      await this.#check.pass(channelId)
    } catch (error) {
      throw notNow(error)
    }
  }

  /** A voucher that credits nothing now: the channel pays by it alone. */
  #keep(channelId: Hex, { cumulative, signature }: { cumulative: bigint; signature: Hex }): void {
    const { channels, clock, store } = this.#core
    store.transaction(() => {
      const { held, unclaimedSinceMs = clock.now() } = channels.find(channelId)!
      if (cumulative > held) channels.update(channelId, { held: cumulative, signature, unclaimedSinceMs })
    })
  }

  #credit(account: AccountRecord, voucher: { channelId: Hex; cumulative: bigint; signature: Hex }): void {
    const { channels, checkpoint, clock, store, wake } = this.#core
    const { channelId, cumulative, signature } = voucher
    store.transaction(() => {
      const now = channels.find(channelId)!
      if (now.state !== 'open') throw closing()
      // Credited meanwhile from what the chain has paid: a figure never falls.
      if (cumulative <= now.cumulative) {
        this.#keep(channelId, voucher)
        return
      }
      this.#addCredit(now, account.assetCode, cumulative)
      const unclaimedSinceMs = now.unclaimedSinceMs ?? clock.now()
      channels.update(channelId, { cumulative, held: cumulative, signature, unclaimedSinceMs })
    })
    checkpoint('voucher-accepted')
    wake()
  }

  /** Inside a transaction. */
  #addCredit(
    { accountId, cumulative, id, scale, terms }: ChannelRecord,
    assetCode: string,
    to: bigint,
  ): void {
    this.#core.credits.add({
      id: `${this.#check.prefix(id)}${to}`,
      accountId,
      assetCode,
      quantity: { amount: to - cumulative, scale },
      sender: terms.signer,
    })
  }

  /** The chain has paid us more than vouchers that were credited: anybody may hand one in. */
  #creditClaimed(id: Hex, claimed: bigint): void {
    const { accounts, channels, store } = this.#core
    const channel = channels.find(id)!
    const account = accounts.find(channel.accountId)
    if (claimed <= channel.cumulative || account === undefined || !this.#check.hasPassed(id)) return
    store.transaction(() => {
      this.#addCredit(channel, account.assetCode, claimed)
      channels.update(id, { cumulative: claimed })
    })
  }

  /** A reorg deeper than the finality that was chosen takes deposits away: bad news counts at first sight. */
  #checkDeposit(id: Hex, newest: ChannelOnChain | undefined, final: ChannelOnChain | undefined): void {
    const { alarm, channels } = this.#core
    const { accountId, cumulative, deposited } = channels.find(id)!
    const now = newest?.deposited ?? 0n
    if (now < deposited) {
      channels.update(id, { deposited: now })
      alarm('deposit-gone', { accountId, channelId: id, books: deposited, deposited: now, cumulative })
    } else if (final !== undefined && final.deposited > deposited) {
      channels.update(id, { deposited: min(final.deposited, now) })
    }
    this.#noteCover(channels.find(id)!)
  }

  #noteCover({ accountId, cumulative, deposited, id, state }: ChannelRecord): void {
    if (cumulative > deposited && state !== 'closed') this.#uncovered.set(id, accountId)
    else this.#uncovered.delete(id)
  }

  /** While what was credited is not covered any more, the account gets no further credit, by any channel. */
  #refuseUncovered(accountId: string): void {
    for (const [channelId, owner] of this.#uncovered) {
      if (owner !== accountId) continue
      const text = `channel ${channelId} does not hold what it has paid: make that good first`
      throw new MessageRefusedError('deposit-missing', text)
    }
  }

  #assetOf(channel: ChannelRecord) {
    const account = this.#core.accounts.find(channel.accountId)
    return account === undefined ? undefined : this.#core.settings.assets[account.assetCode]
  }
}
