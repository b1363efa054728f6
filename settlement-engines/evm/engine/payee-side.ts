import type { Hex } from 'viem'
import { MessageRefusedError } from '../../../src/settlement/engine.ts'
import { readHeads } from '../finality.ts'
import type { TxOutcome } from '../tx-intent.ts'
import type { AccountRecord } from './account-book.ts'
import type { ChannelOnChain } from './channel-contract.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'
import { type PeerBody, STATE_CHANNELS_MAX } from './peer-messages.ts'
import { isVoucherOf } from './voucher.ts'

const MS_PER_S = 1000

/** Channels that pay us: vouchers taken, handed in, and defended. One call per account at a time. */
export class PayeeSide {
  readonly #core: EngineCore

  constructor(core: EngineCore) {
    this.#core = core
  }

  /**
   * Takes a channel into the books, or looks at its deposit again.
   * @throws MessageRefusedError when it is not one that we accept from this peer
   */
  async acceptChannel(account: AccountRecord, channelId: Hex): Promise<ChannelRecord> {
    const { accounts, chain, channels, contract, funding, settings, store } = this.#core
    const known = channels.find(channelId)
    if (known !== undefined && (known.accountId !== account.id || known.direction !== 'in')) {
      throw new MessageRefusedError('channel-foreign', 'the channel belongs to another account')
    }
    if (known !== undefined && known.state !== 'open') throw closing()
    const peer = accounts.peer(account.id)
    if (peer?.signer === undefined) throw new MessageRefusedError('unknown-peer', 'say hello first')
    const { final } = await readHeads(chain, settings.finality)
    const [[found], [newest]] = [
      await contract.read([channelId], final.number),
      await contract.read([channelId], 'latest'),
    ]
    if (found === undefined) {
      throw new MessageRefusedError('channel-unknown', 'there is no such channel in a final block')
    }
    if (found.payer !== peer.address || found.payee !== funding.address) {
      throw new MessageRefusedError('channel-foreign', 'the channel is not from this peer to us')
    }
    if (found.state !== 'open' || newest?.state !== 'open') throw closing()
    if (known === undefined) this.#checkTerms(found, account, peer.signer)
    return store.transaction(() => {
      // A claim may have been booked while the chain was asked.
      if (known !== undefined) return channels.update(channelId, { deposited: found.deposited })
      const channel = this.#newChannel(channelId, account, found)
      channels.save(channel)
      return channel
    })
  }

  /**
   * Credits what is new in a voucher. Repeating the last one changes nothing.
   * @returns the figure credited so far
   * @throws MessageRefusedError with nothing changed
   */
  async takeVoucher(
    account: AccountRecord,
    voucher: { channelId: Hex; cumulative: bigint; signature: Hex },
  ): Promise<bigint> {
    const { channels, checkpoint, clock, credits, domain, store, wake } = this.#core
    const { channelId, cumulative, signature } = voucher
    let channel = channels.find(channelId) ?? (await this.acceptChannel(account, channelId))
    if (channel.accountId !== account.id || channel.direction !== 'in') {
      throw new MessageRefusedError('channel-foreign', 'the channel belongs to another account')
    }
    if (!(await isVoucherOf(channel.terms.signer, domain, voucher, signature))) {
      throw new MessageRefusedError('bad-signature', 'the voucher is not signed by the key of the channel')
    }
    if (cumulative === channel.cumulative) return cumulative
    if (cumulative < channel.cumulative) {
      throw new MessageRefusedError('stale-voucher', `the channel is at ${channel.cumulative} already`)
    }
    if (channel.state !== 'open') throw closing()
    if (cumulative > channel.deposited) channel = await this.acceptChannel(account, channelId)
    if (cumulative > channel.deposited) {
      throw new MessageRefusedError('above-deposit', `the channel holds ${channel.deposited}, finally`)
    }
    store.transaction(() => {
      const now = channels.find(channelId)!
      if (now.state !== 'open') throw closing()
      credits.add({
        id: `evm:${domain.chainId}:${channelId}:${cumulative}`,
        accountId: account.id,
        assetCode: account.assetCode,
        quantity: { amount: cumulative - now.cumulative, scale: channel.scale },
        sender: channel.terms.signer,
      })
      channels.update(channelId, {
        cumulative,
        signature,
        unclaimedSinceMs: now.unclaimedSinceMs ?? clock.now(),
      })
    })
    checkpoint('voucher-accepted')
    wake()
    return cumulative
  }

  /** What the peer's channels have brought: a payer that lost its books takes them up from here. */
  state(accountId: string): PeerBody[] {
    return this.#core.channels
      .live('in', accountId)
      .slice(-STATE_CHANNELS_MAX)
      .map(({ id, cumulative, signature }) => ({
        channelId: id,
        cumulative: String(cumulative),
        ...(signature === undefined ? {} : { signature }),
      }))
  }

  /** Ends a channel, paid by its best voucher; the rest goes back to the payer at once. */
  close(channel: ChannelRecord): void {
    const { channels, contract, sender, settings, store } = this.#core
    store.transaction(() => {
      const call = contract.close(channel.id, channel.cumulative, channel.signature)
      const purpose = `close:${channel.id}`
      // No voucher counts from here on: the one in the transaction is the last.
      channels.update(channel.id, { state: 'closing' })
      sender.submit({ purpose, ...call, ...this.#calm(settings.feeBudget) })
    })
  }

  /** Hands the best voucher in now. */
  claim(channel: ChannelRecord): void {
    const { channels, contract, sender, settings, store } = this.#core
    const { cumulative, id, signature } = channel
    if (signature === undefined || channel.claimPurpose !== undefined) return
    store.transaction(() => {
      const purpose = `claim:${id}:${cumulative}`
      channels.update(id, { claimPurpose: purpose })
      sender.submit({
        purpose,
        ...contract.claim(id, cumulative, signature),
        ...this.#calm(settings.feeBudget),
      })
    })
  }

  /** Looks at all incoming channels at the newest block: bad news counts at first sight. */
  async watch(): Promise<void> {
    const { channels, chain, contract, settings } = this.#core
    const live = channels.live('in')
    if (live.length === 0) return
    const ids = live.map(({ id }) => id)
    const newest = await contract.read(ids, 'latest')
    const { final, latest } = await readHeads(chain, settings.finality)
    const settled = await contract.read(ids, final.number)
    for (const [index, { id }] of live.entries()) {
      this.#look(id, newest[index], settled[index], latest.timestampMs)
    }
  }

  /** Inside the transaction that records the outcome. */
  claimEnded(channelId: Hex, outcome: TxOutcome): void {
    this.#core.channels.update(channelId, { claimPurpose: undefined })
    if (outcome.kind !== 'succeeded')
      this.#core.logger.warn('claim failed', { channelId, kind: outcome.kind })
  }

  #look(
    id: Hex,
    newest: ChannelOnChain | undefined,
    final: ChannelOnChain | undefined,
    chainNowMs: number,
  ): void {
    const { channels, clock, alarm, settings } = this.#core
    const channel = channels.find(id)!
    if (newest === undefined || final === undefined) return
    if (final.state === 'closed') {
      this.#bury(channel, final.claimed)
      return
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
    const hasUnclaimed = channel.cumulative > newest.claimed
    const updated = channels.update(id, {
      state: isStillClosing ? 'closing' : 'open',
      claimed: newest.claimed,
      closeAt,
      unclaimedSinceMs: hasUnclaimed ? (channel.unclaimedSinceMs ?? clock.now()) : undefined,
    })
    if (!hasUnclaimed) return
    if (closeAt !== undefined) this.#defend(updated, closeAt, chainNowMs)
    if (isStillClosing) return
    const asset = this.#assetOf(channel)
    const isOld = clock.now() - (updated.unclaimedSinceMs ?? clock.now()) >= settings.claimAgeMs
    if (isOld || (asset !== undefined && channel.cumulative - newest.claimed >= asset.claimAtValue)) {
      this.claim(updated)
    }
  }

  /** The channel is gone: what was to be sent for it is taken back. */
  #bury({ claimPurpose, cumulative, id }: ChannelRecord, claimed: bigint): void {
    const { alarm, channels, sender, store } = this.#core
    store.transaction(() => {
      channels.update(id, { state: 'closed', claimed, closeAt: undefined })
      for (const purpose of [claimPurpose, `defend:${id}:${cumulative}`, `close:${id}`]) {
        if (purpose !== undefined) sender.cancel(purpose)
      }
    })
    if (claimed < cumulative) alarm('channel-lost', { channelId: id, credited: cumulative, claimed })
  }

  /** The window is open: the best voucher goes in now, and its fees rise until it is mined. */
  #defend(channel: ChannelRecord, closeAt: number, chainNowMs: number): void {
    const { clock, contract, sender, settings } = this.#core
    const { cumulative, id, signature } = channel
    if (signature === undefined) return
    const purpose = `defend:${id}:${cumulative}`
    if (sender.purpose(purpose) !== undefined) return
    const left = Math.max(closeAt * MS_PER_S - chainNowMs, 0)
    sender.submit({
      purpose,
      ...contract.claim(id, cumulative, signature),
      gasLimit: undefined,
      feeBudget: settings.urgentFeeBudget,
      urgency: 'urgent',
      deadlineMs: clock.now() + Math.floor(left * settings.closingWindowShare),
    })
  }

  #calm(feeBudget: bigint) {
    return { gasLimit: undefined, feeBudget, urgency: 'calm', deadlineMs: undefined } as const
  }

  #assetOf(channel: ChannelRecord) {
    const account = this.#core.accounts.find(channel.accountId)
    return account === undefined ? undefined : this.#core.settings.assets[account.assetCode]
  }

  #checkTerms(found: ChannelOnChain, account: AccountRecord, signer: Hex): void {
    const { minSettleDelaySeconds } = this.#core.settings
    if (found.token !== account.token) {
      throw new MessageRefusedError('wrong-token', `this account settles in ${account.token}`)
    }
    if (found.signer !== signer) {
      throw new MessageRefusedError('wrong-signer', "the channel's key is not that of the hello")
    }
    if (found.settleDelay < minSettleDelaySeconds) {
      throw new MessageRefusedError('delay-too-short', `the delay must be ${minSettleDelaySeconds} s or more`)
    }
  }

  #newChannel(id: Hex, account: AccountRecord, found: ChannelOnChain): ChannelRecord {
    return {
      id,
      accountId: account.id,
      direction: 'in',
      state: 'open',
      token: found.token,
      scale: account.scale,
      terms: {
        payee: found.payee,
        token: found.token,
        signer: found.signer,
        settleDelay: found.settleDelay,
        // The chain does not keep it, and nobody needs it any more.
        salt: `0x${'0'.repeat(64)}`,
      },
      deposited: found.deposited,
      claimed: found.claimed,
      // What was claimed before our books began was credited then.
      cumulative: found.claimed,
      acked: 0n,
      signature: undefined,
      closeAt: undefined,
      unclaimedSinceMs: undefined,
      claimPurpose: undefined,
    }
  }
}

function closing(): MessageRefusedError {
  return new MessageRefusedError('channel-closing', 'the channel is closing or closed: open another')
}
