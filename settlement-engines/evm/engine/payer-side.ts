import { randomBytes } from 'node:crypto'
import { bytesToHex, type Hex } from 'viem'
import { PeerMessageError } from '../../../src/settlement/engine.ts'
import { readHeads } from '../finality.ts'
import { calmTerms, type TxOutcome } from '../tx-intent.ts'
import type { AccountRecord, PeerRecord } from './account-book.ts'
import type { Call, ChannelOnChain } from './channel-contract.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { Deposits } from './deposits.ts'
import type { EngineCore } from './engine-core.ts'
import type { EvmAsset } from './evm-options.ts'
import { letOthersRun } from './let-others-run.ts'
import { max, min } from './min-max.ts'
import type { OrderRecord } from './order-book.ts'
import type { PayerRecovery } from './payer-recovery.ts'
import { cancelTries, retryPurpose } from './retry-purpose.ts'
import { sumOf } from './sum-of.ts'
import { addToTotal, totalOf } from './totals.ts'
import { signVoucher } from './voucher.ts'

/** A channel is topped up when less than this part of its target is left: not at every order. */
const LOW_WATER_DIVISOR = 4n
/** After a deposit failed on the chain, the next try waits. */
const DEPOSIT_PAUSE_MS = 60_000
const MS_PER_S = 1000

/** Channels that we pay through: opened, filled, and signed for. One call per account at a time. */
export class PayerSide {
  readonly #core: EngineCore
  readonly #recovery: PayerRecovery
  readonly #deposits: Deposits
  /** Accounts whose peer may have lost what it holds of us: it gets our best vouchers again. */
  readonly #resend = new Set<string>()
  /** Accounts whose orders wait for budget, so that it is told once. */
  readonly #short = new Set<string>()
  /** Accounts whose peer wants a longer delay than we accept, so that it is told once. */
  readonly #undelayed = new Set<string>()
  /** Channels whose close request has failed, with its outcome, until the chain is looked at. */
  readonly #unclosed = new Map<Hex, TxOutcome['kind']>()

  constructor(core: EngineCore, deps: { recovery: PayerRecovery; deposits: Deposits }) {
    this.#core = core
    this.#recovery = deps.recovery
    this.#deposits = deps.deposits
    for (const { accountId, id, terms } of core.channels.live('out')) {
      if (terms.signer === core.claimKey.address) continue
      const text = 'a channel is of a former claim key: its rest comes back when it is closed'
      core.logger.warn(text, { accountId, channelId: id })
    }
  }

  /** Carries the account's orders on as far as that goes now. @throws PeerMessageError, ChainError */
  async attend(account: AccountRecord): Promise<void> {
    try {
      const peer = await this.#recovery.greet(account)
      if (this.#resend.has(account.id)) await this.#sendAgain(account)
      this.#refuseTooLarge(account)
      if (this.#core.orders.open(account.id).length === 0) return
      await this.#sign(account)
      await this.#send(account)
      this.#fill(account, peer)
    } catch (error) {
      const { refusal } = error as PeerMessageError
      // The peer has other books than it had: begin again from what it says.
      if (refusal === 'unknown-peer' || refusal === 'stale-voucher') this.#recovery.forget(account.id)
      throw error
    }
  }

  /** The peer has begun anew and greets us: perhaps without its books. */
  heard(accountId: string): void {
    if (this.#core.channels.live('out', accountId).length > 0) this.#resend.add(accountId)
  }

  /** Accounts that have no open order and are to be attended all the same. */
  get toResend(): ReadonlySet<string> {
    return this.#resend
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
    for (const [index, { id }] of live.entries()) {
      this.#look(id, found[index], latest.timestampMs)
      await letOthersRun(index)
    }
  }

  /** The peer's identity, known or asked for. @throws PeerMessageError */
  async peerOf(account: AccountRecord): Promise<PeerRecord> {
    return await this.#recovery.greet(account)
  }

  /** Unspent money of all channels of the asset, deposits under way included, counts against the budget. */
  budgetLeft(account: AccountRecord): bigint {
    const { channels } = this.#core
    const own = channels.live('out').filter(({ token }) => token === account.token)
    const ids = new Set(own.map(({ id }) => id))
    const idle = own.reduce((sum, channel) => sum + unspent(channel), 0n)
    const onTheWay = sumOf(channels.unfinishedDeposits().filter(({ channelId }) => ids.has(channelId)))
    return max(this.#asset(account).totalBudget - idle - onTheWay, 0n)
  }

  /** What may be put into the channel on top. */
  roomIn(account: AccountRecord, channel: ChannelRecord): bigint {
    const onTheWay = sumOf(this.#deposits.underWay(channel.id))
    return max(this.#asset(account).maxDepositPerChannel - unspent(channel) - onTheWay, 0n)
  }

  /** By an operator; within the budget like any other. */
  open(account: AccountRecord, peer: PeerRecord, deposit: bigint): ChannelRecord {
    const { isDelayAccepted, terms } = this.#termsFor(account, peer)
    if (!isDelayAccepted) throw new RangeError(delayProblem(account.id))
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
      held: 0n,
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
    const { channels, contract, store } = this.#core
    store.transaction(() => {
      channels.update(channel.id, { state: 'closing' })
      this.#try(`request-close:${channel.id}`, contract.requestClose(channel.id))
    })
  }

  /** Inside the transaction that records the outcome. */
  closeRequestEnded(channelId: Hex, outcome: TxOutcome): void {
    const channel = this.#core.channels.find(channelId)
    if (outcome.kind === 'succeeded' || channel?.state !== 'closing') return
    this.#unclosed.set(channelId, outcome.kind)
    this.#core.channels.update(channelId, { state: 'open' })
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
    let surplus = totalOf(store, 'surplus', account.id)
    const taken: { id: string; upto: bigint; covered: bigint }[] = []
    for (const { amount, id } of this.#queued(account)) {
      const covered = min(surplus, amount)
      if (total + amount - covered > channel.deposited) break
      total += amount - covered
      surplus -= covered
      taken.push({ id, upto: total, covered })
    }
    if (taken.length === 0) return
    const isPaid = total === channel.cumulative
    const signature = isPaid
      ? undefined
      : await signVoucher(claimKey, domain, { channelId: channel.id, cumulative: total })
    checkpoint('voucher-signed')
    const isStored = store.transaction(() => {
      const now = channels.find(channel.id)!
      // Closed by an operator meanwhile: the signature is forgotten, and was never anywhere else.
      if (now.state !== 'open' || now.cumulative !== channel.cumulative) return false
      if (!isPaid) channels.update(channel.id, { cumulative: total, held: total, signature })
      for (const { id, ...by } of taken) {
        orders.setSigned(id, { channelId: channel.id, ...by })
        addToTotal(store, 'surplus', account.id, -by.covered)
      }
      orders.settleUpTo(channel.id, now.acked)
      return true
    })
    if (isStored) checkpoint('voucher-stored')
  }

  /** Sends the newest voucher of each channel until the payee has acknowledged it. */
  async #send(account: AccountRecord): Promise<void> {
    for (const channel of this.#core.channels.live('out', account.id)) {
      if (channel.acked < channel.held && channel.state === 'open') await this.#sendVoucher(channel)
    }
  }

  /** In closing channels too: the peer can still hand them in. */
  async #sendAgain(account: AccountRecord): Promise<void> {
    const { channels, logger } = this.#core
    for (const channel of channels.live('out', account.id)) {
      try {
        await this.#sendVoucher(channel)
      } catch (error) {
        if (!(error instanceof PeerMessageError) || error.refusal === undefined) throw error
        logger.warn('the peer refuses a voucher that it gets again', { id: channel.id, code: error.refusal })
      }
    }
    this.#resend.delete(account.id)
  }

  async #sendVoucher({ accountId, held, id, signature }: ChannelRecord): Promise<void> {
    const { ask, channels, checkpoint, orders, store } = this.#core
    if (signature === undefined) return
    const answer = await ask(accountId, 'claim', { channelId: id, cumulative: String(held), signature })
    checkpoint('claim-sent')
    if (answer.channelId !== id || answer.cumulative !== held) {
      throw new PeerMessageError('the peer acknowledges another voucher than the one that it got')
    }
    store.transaction(() => {
      const { acked } = channels.find(id)!
      channels.update(id, { acked: max(acked, held) })
      orders.settleUpTo(id, held)
    })
    checkpoint('ack-stored')
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
    const waiting = sumOf(queued)
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
    else if (this.#termsFor(account, peer).isDelayAccepted) {
      this.#undelayed.delete(account.id)
      this.open(account, peer, amount)
    } else if (!this.#undelayed.has(account.id)) {
      this.#undelayed.add(account.id)
      logger.warn(delayProblem(account.id), { wanted: peer.minDelay })
    }
  }

  #look(id: Hex, found: ChannelOnChain | undefined, chainNowMs: number): void {
    const { channels, contract, orders, sender, store } = this.#core
    const channel = channels.find(id)!
    if (found === undefined) {
      // Opened by nothing that is still to come.
      if (channel.state === 'opening' && !this.#deposits.isUnderWay(id))
        channels.update(id, { state: 'closed' })
      return
    }
    this.#tellUnclosed(id, found)
    store.transaction(() => {
      this.#recovery.raise(channel, found.claimed)
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
        cancelTries(sender, `request-close:${id}`)
        cancelTries(sender, `withdraw:${id}`)
      } else if (found.closeAt !== undefined && chainNowMs >= found.closeAt * MS_PER_S) {
        this.#try(`withdraw:${id}`, contract.withdraw(id))
      }
    })
  }

  /** A request that failed because the peer has closed the channel meanwhile has not failed. */
  #tellUnclosed(channelId: Hex, { state }: ChannelOnChain): void {
    const outcome = this.#unclosed.get(channelId)
    if (outcome === undefined) return
    this.#unclosed.delete(channelId)
    if (state !== 'closed') this.#core.alarm('close-failed', { channelId, outcome })
  }

  /** What failed before is tried again, under another purpose. */
  #try(name: string, call: Call): void {
    const { sender, settings } = this.#core
    const purpose = retryPurpose(sender, name)
    if (purpose === undefined) return
    sender.submit({ purpose, ...call, ...calmTerms(settings.feeBudget) })
  }

  #queued(account: AccountRecord): OrderRecord[] {
    return this.#core.orders.open(account.id).filter(({ state }) => state === 'queued')
  }

  /**
   * The oldest with room for the next order, else the one with most room. Not one of a former claim key: no voucher of
   * ours counts there any more.
   */
  #usable(account: AccountRecord): ChannelRecord | undefined {
    const { channels, claimKey } = this.#core
    const own = channels
      .live('out', account.id)
      .filter(({ state, terms }) => state === 'open' && terms.signer === claimKey.address)
    const [next] = this.#queued(account)
    const fitting = own.find((channel) => next !== undefined && unspent(channel) >= next.amount)
    return fitting ?? own.toSorted((a, b) => compare(unspent(b), unspent(a)))[0]
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

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function unspent({ cumulative, deposited }: ChannelRecord): bigint {
  return max(deposited - cumulative, 0n)
}

function delayProblem(accountId: string): string {
  return `the peer of ${accountId} accepts no channel with our settleDelaySeconds: raise it`
}
