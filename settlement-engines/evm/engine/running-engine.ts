import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Hex } from 'viem'
import { within } from '../../../src/lib/within.ts'
import {
  EngineConfigError,
  type EngineHost,
  MessageRefusedError,
  PeerMessageError,
} from '../../../src/settlement/engine.ts'
import { ChainError } from '../chain-error.ts'
import type { LogPoller } from '../log-poller.ts'
import type { TxIntent, TxOutcome } from '../tx-intent.ts'
import type { AccountRecord } from './account-book.ts'
import { BackOffs } from './back-offs.ts'
import { ChannelDesk } from './channel-desk.ts'
import { deferredPayouts } from './deferred-payouts.ts'
import { Deposits } from './deposits.ts'
import type { EngineCore } from './engine-core.ts'
import { PayeeSide } from './payee-side.ts'
import { PayerRecovery } from './payer-recovery.ts'
import { PayerSide } from './payer-side.ts'
import { PaymentNotices } from './payment-notices.ts'
import { PeerIdentity } from './peer-identity.ts'
import { type PeerRequest, readAnswer, readRequest, writeMessage } from './peer-messages.ts'
import { QuestionLimit } from './question-limit.ts'
import { hasSucceeded } from './retry-purpose.ts'
import { RoundWatch } from './round-watch.ts'
import { Serial } from './serial.ts'
import { Teller } from './teller.ts'
import { TokenProbe } from './token-abilities.ts'
import { Transfers } from './transfers.ts'

/** A message goes to the peer and back. */
const MESSAGE_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 6_000
/** A round waits no longer for peers and the node: the chain is looked at again in time, however slow they are. */
const ROUND_PATIENCE_MS = 5_000
/** What happens in this time is looked at together. */
const WAKE_MS = 10
/** Between two greetings of a peer that are taken for a new beginning of it: each makes this side speak to it. */
const GREETED_MS = 1_000

/** The parts of an engine between its start and its stop. */
export class RunningEngine {
  readonly core: EngineCore
  readonly desk: ChannelDesk
  readonly transfers: Transfers
  readonly #identity: PeerIdentity
  readonly #recovery: PayerRecovery
  readonly #payer: PayerSide
  readonly #payee: PayeeSide
  readonly #deposits: Deposits
  readonly #notices: PaymentNotices
  readonly #teller: Teller
  readonly #incoming = new Serial()
  readonly #backOffs = new BackOffs()
  readonly #watch: RoundWatch
  readonly #served = new Set<string>()
  /** Accounts whose peer has said hello, until a round takes note of it. */
  readonly #greeters = new Set<string>()
  readonly #greetedMs = new Map<string, number>()
  #poller: LogPoller | undefined
  /** What peers or the node have to answer, by part; it may go on through several rounds. */
  readonly #underWay = new Map<string, Promise<void>>()
  #running: Promise<void> | undefined
  /** By the process's own clock. */
  #watchedMs = 0
  #isWoken = false
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(parts: Omit<EngineCore, 'ask' | 'questions' | 'wake'>, deps: { host: EngineHost }) {
    const { host } = deps
    this.core = {
      ...parts,
      questions: new QuestionLimit(parts),
      wake: () => this.wake(),
      ask: async (accountId, type, body) => {
        const id = randomUUID()
        const late = () => new PeerMessageError('the peer did not answer in time')
        const message = writeMessage(id, { type, ...body })
        const answer = await within(host.send(accountId, message), MESSAGE_DEADLINE_MS, late)
        return readAnswer(type, id, answer)
      },
    }
    this.#watch = new RoundWatch(this.core)
    this.#identity = new PeerIdentity(this.core)
    const probe = new TokenProbe({ chain: parts.chain, key: parts.funding })
    this.#deposits = new Deposits(this.core, { probe })
    this.#recovery = new PayerRecovery(this.core, { identity: this.#identity, host })
    this.#payer = new PayerSide(this.core, { recovery: this.#recovery, deposits: this.#deposits })
    this.#payee = new PayeeSide(this.core, { host })
    this.transfers = new Transfers(this.core, { probe })
    this.#notices = new PaymentNotices(this.core, { identity: this.#identity })
    this.#teller = new Teller(this.core, {
      host,
      check: async (credit) => await this.#payee.checkCredit(credit),
    })
    this.desk = new ChannelDesk(this.core, { payee: this.#payee, payer: this.#payer })
  }

  begin(poller: LogPoller | undefined): void {
    this.#poller = poller
    if (this.core.settings.pollMs > 0) poller?.start()
    this.#schedule(this.#isWoken ? WAKE_MS : this.core.settings.pollMs)
  }

  /** Waits a bounded time for what is under way. */
  async end(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    const { chain, logger, sender } = this.core
    chain.stop()
    const late = () => new Error('the engine did not stop in time')
    const all = Promise.all([this.#running, ...this.#underWay.values()])
    await within(all, STOP_DEADLINE_MS, late).catch((error: unknown) => {
      logger.warn('evm engine stops', { reason: String(error) })
    })
    await this.#poller?.stop()
    await sender.stop()
  }

  /** Why money does not move although nodes answer, in words for operators; undefined: all is well. */
  get trouble(): string | undefined {
    const all = [this.core.sender.trouble, this.#poller?.fault, this.#watch.trouble]
    const told = all.filter((one) => one !== undefined)
    return told.length === 0 ? undefined : told.join('; ')
  }

  wake(): void {
    if (this.#isWoken) return
    this.#isWoken = true
    if (this.#running === undefined) this.#schedule(WAKE_MS)
  }

  /** The account is met in the next round: its peer and the node are asked what they know. */
  serve(accountId: string): void {
    this.#served.add(accountId)
    this.wake()
  }

  /** What is open is carried to its end. */
  unserve(accountId: string): void {
    this.#served.delete(accountId)
  }

  /** One round over everything: never two at once; never throws. */
  async tick(): Promise<void> {
    this.#running ??= this.#round()
      .catch((error: unknown) => this.#broken('rounds', error))
      .finally(() => {
        this.#running = undefined
        this.#watch.ended()
      })
    await this.#running
  }

  /** @throws MessageRefusedError */
  async receive(account: AccountRecord, message: Buffer): Promise<Buffer> {
    const request = readRequest(message)
    const { accounts } = this.core
    if (request.type === 'challenge') {
      return writeMessage(request.id, { challenge: this.#identity.challengeFor(account.id) })
    }
    // A payment counts by its sender's address alone, which may be pinned.
    const needsHello = request.type !== 'hello' && request.type !== 'payment'
    if (needsHello && accounts.peer(account.id)?.signer === undefined) {
      throw new MessageRefusedError('unknown-peer', 'say hello first')
    }
    try {
      const body = await this.#incoming.run(account.id, async () => {
        // Packets go on between two messages, however many are waiting.
        await nextTurn()
        return await this.#answer(account, request)
      })
      return writeMessage(request.id, body)
    } catch (error) {
      if (!(error instanceof ChainError)) throw error
      throw new MessageRefusedError('chain-unavailable', 'the chain cannot be asked now: try again later')
    }
  }

  /** Told by the sender, inside the transaction that records the outcome. */
  ended(intent: TxIntent, outcome: TxOutcome): void {
    const { purpose } = intent
    const [kind, channelId] = purpose.split(':') as [string, Hex]
    if (kind === 'open' || kind === 'fund') this.#deposits.ended(purpose, outcome)
    else if (kind === 'approve') this.#deposits.approvalEnded(purpose.slice('approve:'.length), outcome)
    else if (kind === 'pay' || kind === 'once') this.transfers.ended(purpose, outcome)
    else if (kind === 'claim' || kind === 'claims') this.#payee.claims.ended(purpose, outcome)
    else if (kind === 'close') this.#payee.closeEnded(channelId, outcome)
    else if (kind === 'request-close') this.#payer.closeRequestEnded(channelId, outcome)
    else if (outcome.kind !== 'succeeded') this.#attemptFailed(kind, channelId, outcome)
    if (outcome.kind === 'succeeded') this.#tellDeferred(outcome)
    // What they do shows on the chain: the next look at the channel tells, and tries again.
    this.wake()
  }

  /** A token that is paused or does not like us, say: no further claim brings it. */
  #tellDeferred({ hash, logs }: Extract<TxOutcome, { logs: unknown }>): void {
    const { alarm, contract, funding } = this.core
    const owner = { account: funding.address, contract: contract.address }
    for (const payout of deferredPayouts(logs, owner)) alarm('payout-deferred', { ...payout, hash })
  }

  /** Of defending and withdrawing. What came to nothing because the channel is closed has not failed. */
  #attemptFailed(kind: string, channelId: Hex, { kind: outcome }: TxOutcome): void {
    const { channels, sender } = this.core
    if (channels.find(channelId)?.state === 'closed' || hasSucceeded(sender, `close:${channelId}`)) return
    this.core.alarm(kind === 'defend' ? 'claim-failed' : 'close-failed', { channelId, outcome })
  }

  async #answer(
    account: AccountRecord,
    request: Exclude<PeerRequest, { type: 'challenge' }>,
  ): Promise<Record<string, unknown>> {
    switch (request.type) {
      case 'hello': {
        const own = await this.#identity.hear(account, request)
        this.#greeters.add(account.id)
        this.wake()
        return own
      }
      case 'channel': {
        const { cumulative, deposited } = await this.#payee.acceptChannel(account, request.channelId)
        return {
          channelId: request.channelId,
          deposited: String(deposited),
          cumulative: String(cumulative),
        }
      }
      case 'claim': {
        const cumulative = await this.#payee.takeVoucher(account, request)
        return { channelId: request.channelId, cumulative: String(cumulative) }
      }
      case 'state':
        return { channels: await this.#payee.state(account.id) }
      case 'requestClose': {
        const channel = this.core.channels.find(request.channelId)
        if (channel?.accountId !== account.id || channel.direction !== 'in') {
          throw new MessageRefusedError('channel-unknown', 'there is no such channel of this account')
        }
        if (channel.state !== 'closed') this.#payee.close(channel)
        return { channelId: channel.id }
      }
      case 'payment': {
        const amount = await this.#notices.hear(account, request.hash)
        return { hash: request.hash, amount: String(amount) }
      }
    }
  }

  #schedule(delayMs: number): void {
    const { pollMs } = this.core.settings
    if (this.#isStopped || pollMs === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      void this.tick().then(() => this.#schedule(this.#isWoken ? WAKE_MS : pollMs))
    }, delayMs)
    this.#timer.unref()
  }

  async #round(): Promise<void> {
    const { sender, settings } = this.core
    if (settings.pollMs === 0) {
      await sender.tick()
      await this.#poller?.poll()
    }
    await this.#watchChannels()
    this.#noteGreetings()
    await this.#step('deposits', () => this.#deposits.advance())
    await this.#patiently([
      this.#begin('payment notices', () => this.#step('payment notices', () => this.#notices.tell())),
      ...[...this.#toAttend()].map((id) => this.#begin(`orders of ${id}`, () => this.#attend(id))),
    ])
    await this.#patiently([this.#begin('teller', () => this.#step('teller', () => this.#teller.tell()))])
    this.#watch.note('transactions', sender.failure)
    // A fault has its own alarm.
    const isFault = this.#poller?.fault !== undefined
    this.#watch.note('incoming transfers', isFault ? undefined : this.#poller?.failure)
    this.#watch.note('rounds', undefined)
  }

  /** Asks for every channel: no oftener than in each poll, however often messages wake the engine in between. */
  async #watchChannels(): Promise<void> {
    const wasWoken = this.#isWoken
    this.#isWoken = false
    if (wasWoken && performance.now() - this.#watchedMs < this.core.settings.pollMs) return
    this.#watchedMs = performance.now()
    await this.#step('payer watch', () => this.#payer.watch())
    await this.#step('payee watch', () => this.#payee.watch())
  }

  /** @returns what is to be waited for; nothing when the part is still under way from a former round */
  #begin(part: string, work: () => Promise<unknown>): Promise<void> | undefined {
    if (this.#underWay.has(part)) return undefined
    const own = work()
      .then(() => undefined)
      .catch((error: unknown) => this.#broken(part, error))
      .finally(() => this.#underWay.delete(part))
    this.#underWay.set(part, own)
    return own
  }

  async #patiently(begun: readonly (Promise<void> | undefined)[]): Promise<void> {
    const late = () => new Error('the next round goes on')
    const all = Promise.all(begun.filter((one) => one !== undefined))
    await within(all, ROUND_PATIENCE_MS, late).catch(() => undefined)
  }

  #broken(part: string, error: unknown): void {
    // What is left of a round when the engine stops finds its store closed.
    if (this.#isStopped) return
    this.core.logger.error('evm round failed', { part, reason: String(error) })
    this.#watch.note(part, String(error))
  }

  /** Who greets has begun anew: it gets our best vouchers, and is asked at once, whatever failed before. */
  #noteGreetings(): void {
    const now = this.core.clock.now()
    for (const accountId of this.#greeters) {
      if (now - (this.#greetedMs.get(accountId) ?? Number.NEGATIVE_INFINITY) < GREETED_MS) continue
      this.#greeters.delete(accountId)
      this.#greetedMs.set(accountId, now)
      this.#payer.heard(accountId)
      this.#backOffs.succeeded(accountId)
    }
  }

  #toAttend(): Set<string> {
    const unmet = [...this.#served].filter((id) => !this.#recovery.isGreeted(id))
    return new Set([...this.core.orders.busyAccounts(), ...this.#payer.toResend, ...unmet])
  }

  async #attend(accountId: string): Promise<void> {
    const { accounts, clock } = this.core
    const account = accounts.find(accountId)
    if (account === undefined || !this.#backOffs.isDue(accountId, clock.now())) return
    const isDone = await this.#step(`orders of ${accountId}`, async () => {
      if (account.mode === 'channel') {
        await this.#payer.attend(account)
      } else {
        await this.#recovery.meetNode(account)
        await this.transfers.attend(account)
      }
    })
    if (isDone) this.#backOffs.succeeded(accountId)
    else this.#backOffs.failed(accountId, clock.now())
  }

  /** @returns whether it went through */
  async #step(part: string, work: () => Promise<void>): Promise<boolean> {
    if (this.#isStopped) return false
    try {
      await work()
      this.#watch.note(part, undefined)
      return true
    } catch (error) {
      // A peer that is away is no fault of this side.
      this.#watch.note(part, error instanceof PeerMessageError ? undefined : String(error))
      const isExpected = error instanceof ChainError || error instanceof PeerMessageError
      this.core.logger[isExpected ? 'warn' : 'error']('evm round ended early', {
        part,
        reason: String(error),
      })
      return false
    }
  }
}

/** What keeps an engine from running, in the contract's terms. */
export function asStartError(error: unknown): unknown {
  if (!(error instanceof ChainError)) return error
  if (error.code === 'wrong-chain') return new EngineConfigError('chainId', error.message)
  if (error.code === 'wrong-code') return new EngineConfigError('contract', error.message)
  return error
}
