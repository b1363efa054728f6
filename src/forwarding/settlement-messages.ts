import { ErrorCode } from '../ilp/error-code.ts'
import { PEER_PROTOCOL_FULFILLMENT } from '../ilp/ildcp.ts'
import { DATA_LENGTH_MAX } from '../ilp/packet-view.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/within.ts'
import type { Account } from './account.ts'
import type { Answers } from './answers.ts'
import type { PeerAnswer } from './peer-protocol.ts'
import { PacketRate } from './rate-limits.ts'

/**
 * Messages of one peer that are being worked on at once, also after they have expired: its engine sends one at a time and
 * more only after a restart.
 */
const OPEN_PER_ACCOUNT_MAX = 32
/** A message may cost an engine 10 ms of the thread that carries the packets: with this a peer takes a fifth of it. */
const PER_SECOND = 20
/** What may come at once before that counts: a peer that catches up. */
const BURST = 200
/** Those of all peers together, some 32 kB each. */
const OPEN_MAX = 4_096
/** Engines answer within 30 s; peers may name any expiry, also one that no timer can keep. Milliseconds. */
const DEADLINE_MAX_MS = 60_000

/** Answers a settlement message of a peer. The bytes are the callee's. A rejection stands for T00. */
export type SettlementMessageHandler = (account: Account, message: Buffer) => Promise<PeerAnswer>

/**
 * Messages between settlement engines (RFC 38): Prepares of no value to `peer.settle`, answered by the engine of the
 * account and never forwarded. The condition of the request is not looked at: the RFC prints another one than the
 * fulfillment of zeros satisfies, and peers send either.
 */
export class SettlementMessages {
  /** Undefined: no account settles here. */
  handler: SettlementMessageHandler | undefined
  readonly #answers: Answers
  readonly #clock: Clock
  readonly #open = new Map<string, number>()
  readonly #rates = new WeakMap<Account, PacketRate>()
  #openCount = 0

  constructor({ answers, clock }: { answers: Answers; clock: Clock }) {
    this.#answers = answers
    this.#clock = clock
  }

  /** Takes a message over. It is answered before `expiresAtMs`, or with T00 at that time, a minute from now at the latest. */
  take(account: Account, handle: number, message: Buffer, expiresAtMs: number): void {
    const { handler } = this
    if (handler === undefined) {
      const reason = 'no settlement engine is configured for this account'
      return this.#answers.refuse(account, handle, ErrorCode.badRequest, reason)
    }
    if (!this.#rateOf(account).take(this.#clock.now())) {
      const reason = 'too many settlement messages per second'
      return this.#answers.refuse(account, handle, ErrorCode.rateLimited, reason)
    }
    const open = this.#open.get(account.id) ?? 0
    if (open >= OPEN_PER_ACCOUNT_MAX || this.#openCount >= OPEN_MAX) {
      const reason = 'too many settlement messages are being answered'
      return this.#answers.refuse(account, handle, ErrorCode.connectorBusy, reason)
    }
    this.#open.set(account.id, open + 1)
    this.#openCount++
    void this.#answer(handler, account, message, expiresAtMs).then((answer) => {
      if ('code' in answer) return this.#answers.refuse(account, handle, answer.code, answer.message)
      this.#answers.fulfill(account, handle, PEER_PROTOCOL_FULFILLMENT, answer.data)
    })
  }

  async #answer(
    handler: SettlementMessageHandler,
    account: Account,
    message: Buffer,
    expiresAtMs: number,
  ): Promise<PeerAnswer> {
    try {
      const deadlineMs = Math.min(Math.max(1, expiresAtMs - this.#clock.now()), DEADLINE_MAX_MS)
      const late = () => new Error('the settlement engine did not answer in time')
      const answer = await within(this.#work(handler, account, message), deadlineMs, late)
      if ('data' in answer && answer.data.length > DATA_LENGTH_MAX) throw new Error('the answer is too long')
      return answer
    } catch {
      return { code: ErrorCode.internalError, message: 'the settlement engine did not answer' }
    }
  }

  /** Counts until the engine is done with it: what has expired is work and memory all the same. */
  async #work(handler: SettlementMessageHandler, account: Account, message: Buffer): Promise<PeerAnswer> {
    try {
      return await handler(account, message)
    } finally {
      this.#closeOne(account.id)
    }
  }

  #rateOf(account: Account): PacketRate {
    let rate = this.#rates.get(account)
    if (rate === undefined) {
      rate = new PacketRate(PER_SECOND, BURST)
      this.#rates.set(account, rate)
    }
    return rate
  }

  #closeOne(accountId: string): void {
    this.#openCount--
    const open = this.#open.get(accountId)! - 1
    if (open === 0) this.#open.delete(accountId)
    else this.#open.set(accountId, open)
  }
}
