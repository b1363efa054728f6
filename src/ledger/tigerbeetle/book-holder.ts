import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import { AccountCode, META_LEDGER, NEWEST_FIRST } from './codes.ts'
import { claimEpoch, epochScope, lastEpoch } from './epoch.ts'
import { newAccount } from './new-account.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { deriveId } from './transfer-ids.ts'

/** How often, within the time a starting process waits, both sides look. */
const LOOKS_PER_WAIT = 3

/**
 * Keeps a second process off the books, without a lease to wait for after every crash: a starting process that finds
 * the last one not released asks it, in the cluster, whether it still runs, and takes over when no answer comes. A
 * holder that was only paused finds the newer epoch and writes no more.
 */
export class BookHolder {
  readonly #connection: TigerBeetleConnection
  readonly #scope: bigint
  readonly #waitMs: number
  readonly #clock: Clock
  readonly #logger: Logger
  #epoch = 0
  #answered = 0n
  #timer: NodeJS.Timeout | undefined
  #fault: LedgerFaultError | undefined

  constructor(
    options: { namespace: string; takeoverWaitMs: number },
    deps: { connection: TigerBeetleConnection; clock: Clock; logger: Logger },
  ) {
    this.#connection = deps.connection
    this.#scope = epochScope('exclusive', options.namespace)
    this.#waitMs = options.takeoverWaitMs
    this.#clock = deps.clock
    this.#logger = deps.logger
  }

  get epoch(): number {
    return this.#epoch
  }

  /** @throws LedgerFaultError when another process holds the books */
  async take(): Promise<void> {
    const before = await lastEpoch(this.#connection, this.#scope)
    if (before !== undefined && !(await this.#isReleased(before))) await this.#challenge(before)
    this.#epoch = await claimEpoch(this.#connection, this.#scope, before, this.#clock)
    this.#lookLater()
  }

  /** @throws LedgerFaultError when another process took the books over */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault
  }

  /** The next process may start at once. */
  async release(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#epoch === 0 || this.#fault !== undefined) return
    const marker = newAccount(
      deriveId('', 'epoch-released', String(this.#epoch)),
      META_LEDGER,
      AccountCode.epochReleased,
    )
    await this.#connection.createAccounts([marker])
  }

  /** Stops answering, as a crash would. */
  end(): void {
    clearTimeout(this.#timer)
    this.#epoch = 0
  }

  async #isReleased(epoch: number): Promise<boolean> {
    const found = await this.#connection.lookupAccounts([deriveId('', 'epoch-released', String(epoch)).id])
    return found.length > 0
  }

  async #challenge(epoch: number): Promise<void> {
    const id = randomBytes(16).readBigUInt64BE() * 2n ** 64n + 4n
    const challenge = newAccount({ id, check: 0n }, META_LEDGER, AccountCode.challenge)
    await this.#connection.createAccounts([{ ...challenge, user_data_64: BigInt(epoch) }])
    this.#logger.info('the books were not released, asking whether their holder still runs', { epoch })
    for (let look = 0; look <= LOOKS_PER_WAIT; look++) {
      await delay(this.#waitMs / LOOKS_PER_WAIT)
      if ((await this.#connection.lookupAccounts([id + 1n])).length > 0) {
        throw new LedgerFaultError(
          'another process holds these books: stop it first, or give this node a namespace of its own',
        )
      }
    }
    this.#logger.warn('the holder of the books did not answer, taking over', { epoch })
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => void this.#look(), this.#waitMs / LOOKS_PER_WAIT)
    this.#timer.unref()
  }

  /** Answers the newest challenge, and notices a takeover. */
  async #look(): Promise<void> {
    const epoch = this.#epoch
    try {
      await this.#answerChallenge(epoch)
      const last = await lastEpoch(this.#connection, this.#scope)
      if (last !== undefined && last > epoch && this.#epoch === epoch) {
        this.#fault = new LedgerFaultError(
          'another process took the books over while this one did not answer',
        )
        this.#logger.error('ledger was taken over by another process', { epoch, by: last })
        return
      }
    } catch (error) {
      this.#logger.debug('could not look for other processes', { reason: String(error) })
    }
    if (this.#epoch === epoch) this.#lookLater()
  }

  async #answerChallenge(epoch: number): Promise<void> {
    const [challenge] = await this.#connection.queryAccounts({
      ledger: META_LEDGER,
      code: AccountCode.challenge,
      user_data_64: BigInt(epoch),
      flags: NEWEST_FIRST,
      limit: 1,
    })
    if (challenge === undefined || challenge.id === this.#answered) return
    const answer = newAccount({ id: challenge.id + 1n, check: 0n }, META_LEDGER, AccountCode.challengeAnswer)
    await this.#connection.createAccounts([answer])
    this.#answered = challenge.id
  }
}
