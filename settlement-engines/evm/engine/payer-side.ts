import { randomBytes } from 'node:crypto'
import { bytesToHex, type Hex } from 'viem'
import { PeerMessageError } from '../../../src/settlement/engine.ts'
import { readHeads } from '../finality.ts'
import type { TxOutcome } from '../tx-intent.ts'
import type { AccountRecord, PeerRecord } from './account-book.ts'
import type { ChannelOnChain } from './channel-contract.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { Deposits } from './deposits.ts'
import type { EngineCore } from './engine-core.ts'
import type { EvmAsset } from './evm-options.ts'
import type { OrderRecord } from './order-book.ts'
import type { PeerIdentity } from './peer-identity.ts'
import { isVoucherOf, signVoucher } from './voucher.ts'

/** A channel is topped up when less than this part of its target is left: not at every order. */
const LOW_WATER_DIVISOR = 4n
/** After a deposit failed on the chain, the next try waits. */
const DEPOSIT_PAUSE_MS = 60_000
const MS_PER_S = 1000

/** Channels that we pay through: opened, filled, and signed for. One call per account at a time. */
export class PayerSide {
  readonly #core: EngineCore
  readonly #identity: PeerIdentity
  readonly #deposits: Deposits
  /** Accounts whose peer has told in this run who it is and what it has credited. */
  readonly #greeted = new Set<string>()

  /** Accounts whose orders wait for budget, so that it is told once. */
  readonly #short = new Set<string>()

  constructor(core: EngineCore, deps: { identity: PeerIdentity; deposits: Deposits }) {
    this.#core = core
    this.#identity = deps.identity
    this.#deposits = deps.deposits
  }

  /** Carries the account's orders on as far as that goes now. @throws PeerMessageError, ChainError */
  async attend(account: AccountRecord): Promise<void> {
    this.#refuseTooLarge(account)
    if (this.#core.orders.open(account.id).length === 0) return
    try {
      const peer = await this.#greet(account)
      await this.#sign(account)
      await this.#send(account)
      this.#fill(account, peer)
    } catch (error) {
      const { refusal } = error as PeerMessageError
      // The peer has other books than it had: begin again from what it says.
      if (refusal === 'unknown-peer' || refusal === 'stale-voucher') this.#greeted.delete(account.id)
      throw error
    }
  }

  /** Looks at all outgoing channels in the final block. */
  async watch(): Promise<void> {
    const { chain, channels, contract, settings } = this.#core
    const live = channels.live('out')
    if (live.length === 0) return
    const { final, latest } = await readHeads(chain, settings.finality)
    const found = await contract.read(
      live.map(({ id }) => id),
      final.number,
    )
    for (const [index, { id }] of live.entries()) this.#look(id, found[index], latest.timestampMs)
  }

  /** The peer's identity, known or asked for. @throws PeerMessageError */
  async peerOf(account: AccountRecord): Promise<PeerRecord> {
    return await this.#greet(account)
  }

  /** Unspent money of all channels of the asset, deposits under way included, counts against the budget. */
  budgetLeft(account: AccountRecord): bigint {
    const { channels } = this.#core
    let idle = 0n
    for (const channel of channels.live('out')) {
      if (channel.token !== account.token) continue
      idle += max(channel.deposited - channel.cumulative, 0n)
      for (const { amount, state } of channels.depositsOf(channel.id)) {
        if (state !== 'done' && state !== 'failed') idle += amount
      }
    }
    return max(this.#asset(account).totalBudget - idle, 0n)
  }

  /** By an operator; within the budget like any other. */
  open(account: AccountRecord, peer: PeerRecord, deposit: bigint): ChannelRecord {
    const { isDelayAccepted, terms } = this.#termsFor(account, peer)
    if (!isDelayAccepted) throw new Error(delayProblem(account.id))
    const { contract, funding } = this.#core
    const channel: ChannelRecord = {
      id: contract.idOf(funding.address, terms),
      accountId: account.id,
      direction: 'out',
      state: 'opening',
      token: account.token,
      scale: account.scale,
      terms,
      deposited: 0n,
      claimed: 0n,
      cumulative: 0n,
      acked: 0n,
      signature: undefined,
      closeAt: undefined,
      unclaimedSinceMs: undefined,
      claimPurpose: undefined,
    }
    this.#deposits.open(channel, deposit)
    return channel
  }

  topUp(channel: ChannelRecord, amount: bigint): void {
    this.#deposits.fund(channel, amount)
  }

  /** Asks on the chain for the rest; the payee has the channel's delay to claim. */
  requestClose(channel: ChannelRecord): void {
    const { channels, contract, sender, settings, store } = this.#core
    store.transaction(() => {
      channels.update(channel.id, { state: 'closing' })
      const terms = {
        gasLimit: undefined,
        feeBudget: settings.feeBudget,
        urgency: 'calm',
        deadlineMs: undefined,
      } as const
      sender.submit({
        purpose: `request-close:${channel.id}`,
        ...contract.requestClose(channel.id),
        ...terms,
      })
    })
  }

  /** Inside the transaction that records the outcome. */
  closeRequestEnded(channelId: Hex, outcome: TxOutcome): void {
    const channel = this.#core.channels.find(channelId)
    if (outcome.kind === 'succeeded' || channel?.state !== 'closing') return
    this.#core.channels.update(channelId, { state: 'open' })
  }

  async #greet(account: AccountRecord): Promise<PeerRecord> {
    const known = this.#core.accounts.peer(account.id)
    if (known?.signer !== undefined && this.#greeted.has(account.id)) return known
    const peer = await this.#identity.greet(account)
    const { channels } = await this.#core.ask(account.id, 'state', {})
    for (const { channelId, cumulative, signature } of channels) {
      await this.#catchUp(account, peer, { channelId, cumulative, signature })
    }
    this.#greeted.add(account.id)
    return peer
  }

  /** What the payee holds of us binds us: books that know less are raised to it, never the other way round. */
  async #catchUp(
    account: AccountRecord,
    peer: PeerRecord,
    told: { channelId: Hex; cumulative: bigint; signature: Hex | undefined },
  ): Promise<void> {
    const { channels, claimKey, domain, logger, orders, store } = this.#core
    const { channelId, cumulative, signature } = told
    if (cumulative === 0n) return
    if (
      signature === undefined ||
      !(await isVoucherOf(claimKey.address, domain, { channelId, cumulative }, signature))
    ) {
      logger.warn('peer tells a voucher that is not ours', { accountId: account.id, channelId })
      return
    }
    const known = channels.find(channelId) ?? (await this.#adopt(account, peer, channelId))
    if (known === undefined || known.accountId !== account.id || known.direction !== 'out') return
    store.transaction(() => {
      if (cumulative > known.cumulative) {
        logger.warn('the books are older than our vouchers: taken up from the peer', {
          channelId,
          books: String(known.cumulative),
          peer: String(cumulative),
        })
        channels.update(channelId, { cumulative, signature })
      }
      if (cumulative > known.acked) channels.update(channelId, { acked: cumulative })
      orders.settleUpTo(channelId, cumulative)
    })
  }

  /** A channel of ours that the books do not know. */
  async #adopt(account: AccountRecord, peer: PeerRecord, channelId: Hex): Promise<ChannelRecord | undefined> {
    const { chain, channels, claimKey, contract, funding, settings } = this.#core
    const { final } = await readHeads(chain, settings.finality)
    const [found] = await contract.read([channelId], final.number)
    const isOurs =
      found?.payer === funding.address && found.payee === peer.address && found.signer === claimKey.address
    if (!isOurs || found.token !== account.token) return undefined
    const { payee, token, signer, settleDelay } = found
    const channel: ChannelRecord = {
      id: channelId,
      accountId: account.id,
      direction: 'out',
      state: found.state,
      token,
      scale: account.scale,
      terms: { payee, token, signer, settleDelay, salt: `0x${'0'.repeat(64)}` },
      deposited: found.deposited,
      claimed: found.claimed,
      cumulative: found.claimed,
      acked: found.claimed,
      signature: undefined,
      closeAt: found.closeAt,
      unclaimedSinceMs: undefined,
      claimPurpose: undefined,
    }
    channels.save(channel)
    return channel
  }

  #refuseTooLarge(account: AccountRecord): void {
    const asset = this.#asset(account)
    for (const order of this.#queued(account)) {
      if (order.amount <= asset.maxDepositPerChannel) continue
      this.#core.orders.refuse(
        order,
        `${order.amount} is more than maxDepositPerChannel (${asset.maxDepositPerChannel}): settle smaller amounts or raise it`,
      )
    }
  }

  /** One voucher for all that the open channel can carry, in the order of the orders. */
  async #sign(account: AccountRecord): Promise<void> {
    const { channels, checkpoint, claimKey, domain, orders, store } = this.#core
    const channel = this.#usable(account)
    if (channel === undefined) return
    let total = channel.cumulative
    const taken: { id: string; upto: bigint }[] = []
    for (const { amount, id } of this.#queued(account)) {
      if (total + amount > channel.deposited) break
      total += amount
      taken.push({ id, upto: total })
    }
    if (taken.length === 0) return
    const signature = await signVoucher(claimKey, domain, { channelId: channel.id, cumulative: total })
    checkpoint('voucher-signed')
    const isStored = store.transaction(() => {
      const now = channels.find(channel.id)!
      // Closed by an operator meanwhile: the signature is forgotten, and was never anywhere else.
      if (now.state !== 'open' || now.cumulative !== channel.cumulative) return false
      channels.update(channel.id, { cumulative: total, signature })
      for (const { id, upto } of taken) orders.setSigned(id, channel.id, upto)
      return true
    })
    if (isStored) checkpoint('voucher-stored')
  }

  /** Sends the newest voucher of each channel until the payee has acknowledged it. */
  async #send(account: AccountRecord): Promise<void> {
    const { ask, channels, checkpoint, orders, store } = this.#core
    for (const { id, cumulative, acked, signature, state } of channels.live('out', account.id)) {
      if (signature === undefined || acked >= cumulative || state !== 'open') continue
      const body = { channelId: id, cumulative: String(cumulative), signature }
      const answer = await ask(account.id, 'claim', body)
      checkpoint('claim-sent')
      if (answer.channelId !== id || answer.cumulative !== cumulative) {
        throw new PeerMessageError('the peer acknowledges another voucher than the one that it got')
      }
      store.transaction(() => {
        channels.update(id, { acked: cumulative })
        orders.settleUpTo(id, cumulative)
      })
      checkpoint('ack-stored')
    }
  }

  /** Opens or tops up when the waiting orders do not fit, or little is left. */
  #fill(account: AccountRecord, peer: PeerRecord): void {
    const { alarm, channels, clock, logger } = this.#core
    const live = channels.live('out', account.id).filter(({ state }) => state !== 'closing')
    if (live.some(({ id }) => this.#deposits.isUnderWay(id))) return
    const failedMs = channels.lastFailureMs(account.id)
    if (failedMs !== undefined && clock.now() - failedMs < DEPOSIT_PAUSE_MS) return
    const { deposit: target, maxDepositPerChannel } = this.#asset(account)
    const queued = this.#queued(account)
    const waiting = queued.reduce((sum, { amount }) => sum + amount, 0n)
    const channel = this.#usable(account)
    const free = channel === undefined ? 0n : channel.deposited - channel.cumulative
    const isLow = channel !== undefined && free < target / LOW_WATER_DIVISOR
    if (waiting === 0n && !isLow) return
    const wanted = min(max(target, waiting), maxDepositPerChannel) - free
    const amount = min(wanted, this.budgetLeft(account))
    const first = queued[0]
    if (amount <= 0n || (first !== undefined && free + amount < first.amount)) {
      if (waiting > 0n && !this.#short.has(account.id)) {
        this.#short.add(account.id)
        alarm('budget', { accountId: account.id, waiting, wanted })
      }
      return
    }
    this.#short.delete(account.id)
    if (channel !== undefined) this.#deposits.fund(channel, amount)
    else if (this.#termsFor(account, peer).isDelayAccepted) this.open(account, peer, amount)
    else logger.warn(delayProblem(account.id), { wanted: peer.minDelay })
  }

  #look(id: Hex, found: ChannelOnChain | undefined, chainNowMs: number): void {
    const { channels, contract, orders, sender, settings, store } = this.#core
    const channel = channels.find(id)!
    if (found === undefined || channel.state === 'opening') return
    store.transaction(() => {
      const isClosing = found.state !== 'open' || channel.state === 'closing'
      channels.update(id, {
        state: found.state === 'closed' ? 'closed' : isClosing ? 'closing' : 'open',
        // What was asked may be older than an outcome that is in the books.
        deposited: max(found.deposited, channel.deposited),
        claimed: max(found.claimed, channel.claimed),
        closeAt: found.closeAt,
      })
      orders.settleUpTo(id, found.claimed)
      if (found.state === 'closed') {
        orders.requeueAbove(id, found.claimed)
        sender.cancel(`request-close:${id}`)
        sender.cancel(`withdraw:${id}`)
      } else if (found.closeAt !== undefined && chainNowMs >= found.closeAt * MS_PER_S) {
        const terms = {
          gasLimit: undefined,
          feeBudget: settings.feeBudget,
          urgency: 'calm',
          deadlineMs: undefined,
        } as const
        sender.submit({ purpose: `withdraw:${id}`, ...contract.withdraw(id), ...terms })
      }
    })
  }

  #queued(account: AccountRecord): OrderRecord[] {
    return this.#core.orders.open(account.id).filter(({ state }) => state === 'queued')
  }

  #usable(account: AccountRecord): ChannelRecord | undefined {
    return this.#core.channels
      .live('out', account.id)
      .filter(({ state }) => state === 'open')
      .at(-1)
  }

  #asset(account: AccountRecord): EvmAsset {
    const asset = this.#core.settings.assets[account.assetCode]
    if (asset === undefined) throw new Error(`the asset ${account.assetCode} is no longer configured`)
    return asset
  }

  #termsFor(account: AccountRecord, peer: PeerRecord) {
    const { claimKey, settings } = this.#core
    const settleDelay = settings.settleDelaySeconds
    const salt = bytesToHex(randomBytes(32))
    const terms = {
      payee: peer.address,
      token: account.token,
      signer: claimKey.address,
      settleDelay,
      salt,
    }
    return { terms, isDelayAccepted: (peer.minDelay ?? 0) <= settleDelay }
  }
}

function delayProblem(accountId: string): string {
  return `the peer of ${accountId} accepts no channel with our settleDelaySeconds: raise it`
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
