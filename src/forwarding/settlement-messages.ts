import { ErrorCode } from '../ilp/error-code.ts'
import { PEER_PROTOCOL_FULFILLMENT } from '../ilp/ildcp.ts'
import { DATA_LENGTH_MAX } from '../ilp/packet-view.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/within.ts'
import type { Account } from './account.ts'
import type { Answers } from './answers.ts'
import type { PeerAnswer } from './peer-protocol.ts'

/** Messages of one peer that are being answered at once: its engine sends one at a time and more only after a restart. */
const OPEN_PER_ACCOUNT_MAX = 32
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
    const open = this.#open.get(account.id) ?? 0
    if (open >= OPEN_PER_ACCOUNT_MAX || this.#openCount >= OPEN_MAX) {
      const reason = 'too many settlement messages are being answered'
      return this.#answers.refuse(account, handle, ErrorCode.connectorBusy, reason)
    }
    this.#open.set(account.id, open + 1)
    this.#openCount++
    void this.#answer(handler, account, message, expiresAtMs).then((answer) => {
      this.#closeOne(account.id)
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
      const answer = await within(handler(account, message), deadlineMs, late)
      if ('data' in answer && answer.data.length > DATA_LENGTH_MAX) throw new Error('the answer is too long')
      return answer
    } catch {
      return { code: ErrorCode.internalError, message: 'the settlement engine did not answer' }
    }
  }

  #closeOne(accountId: string): void {
    this.#openCount--
    const open = this.#open.get(accountId)! - 1
    if (open === 0) this.#open.delete(accountId)
    else this.#open.set(accountId, open)
  }
}
