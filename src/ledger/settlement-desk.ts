import { setTimeout as delay } from 'node:timers/promises'
import { toAmount } from '../ilp/amount.ts'
import type { AccountRegistry } from './account-registry.ts'
import type { BatchWriter } from './batch-writer.ts'
import type { ExclusiveAccount } from './exclusive-account.ts'
import type { SettlementEntry } from './ledger.ts'
import { LedgerFaultError, type LedgerStore, LedgerUnavailableError } from './ledger-store.ts'

/** Holds whose outcome is unknown at the same time; above it new ones are refused until the store answers again. */
const UNCONFIRMED_HOLDS_MAX = 10_000
/** A settlement that is booked waits this long for the balance in memory to follow, then returns anyway. */
const TAKE_OVER_WAIT_MS = 2_000

export interface SettlementDeskDeps {
  store: LedgerStore
  accounts: AccountRegistry
  writer: BatchWriter
  /** The store cannot be reached. */
  unavailable(reason: string): void
  /** The store refused for good: it may be broken, or only the call was wrong. */
  refused(): void
  fault(error: Error): void
}

interface Hold {
  account: ExclusiveAccount
  amount: bigint
  /** Booked or resolved in the store: stops counting at the next take-over. */
  confirmed: boolean
}

/**
 * Settlements of the exclusive ledger. What a call changed is never guessed: after each one the account's balance
 * and held sum are read from the books while no batch is under way, so a repeated call, or one whose outcome was
 * unknown, cannot count twice. Until then memory errs on the safe side: an amount counts as held from before the
 * call that holds it, and as spendable only after the call that credits it.
 */
export class SettlementDesk {
  readonly #deps: SettlementDeskDeps
  readonly #holds = new Map<string, Hold>()
  /** Accounts whose state in memory may be behind the books. */
  readonly #behind = new Set<ExclusiveAccount>()
  readonly #queued = new Map<ExclusiveAccount, Promise<void>>()

  constructor(deps: SettlementDeskDeps) {
    this.#deps = deps
  }

  async settleIn({ id, account, engine, amount }: SettlementEntry): Promise<boolean> {
    const own = this.#own(account.index)
    const isNew = await this.#call(own, this.#deps.store.settleIn(id, own.index, engine, amount))
    await this.#catchUp(own)
    return isNew
  }

  async hold({ id, account, engine, amount }: SettlementEntry): Promise<void> {
    const own = this.#own(account.index)
    // What was credited just now is room too.
    if (this.#behind.has(own)) await this.#catchUp(own)
    const known = this.#holds.has(id)
    // What the peer is spending cannot be paid out too. One that is booked already stands in the balance.
    const isNewTaken = known || own.canSpend(toAmount(amount))
    const isCounted = !known && isNewTaken
    if (isCounted) this.#count(id, own, amount)
    try {
      await this.#call(own, this.#deps.store.holdSettlement(id, own.index, engine, amount, isNewTaken))
    } catch (error) {
      if (isCounted && !(error instanceof LedgerUnavailableError)) this.#drop(id)
      throw error
    }
    this.#confirm(id)
    await this.#catchUp(own)
  }

  /** Posts or voids. */
  async resolve(id: string, how: 'post' | 'void'): Promise<void> {
    const { store, accounts } = this.#deps
    const account = this.#holds.get(id)?.account
    const call = how === 'post' ? store.postSettlement(id) : store.voidSettlement(id)
    const { index } = await this.#call(account, call).catch(async (error: unknown) => {
      // The store has answered: a hold that it does not know is not to come any more.
      if (account !== undefined && !(error instanceof LedgerUnavailableError)) {
        this.#confirm(id)
        await this.#catchUp(account)
      }
      throw error
    })
    this.#confirm(id)
    const own = accounts.at(index)
    if (own !== undefined) await this.#catchUp(own)
  }

  /** Reads again what could not be read when it should have been. Called when the store answers. */
  catchUpAll(): void {
    for (const account of this.#behind) void this.#takeOver(account)
  }

  #own(index: number): ExclusiveAccount {
    const account = this.#deps.accounts.at(index)
    if (account === undefined) throw new LedgerFaultError(`ledger account ${index} is not open`)
    return account
  }

  #count(id: string, account: ExclusiveAccount, amount: bigint): void {
    if (this.#holds.size >= UNCONFIRMED_HOLDS_MAX) {
      throw new LedgerUnavailableError(`${UNCONFIRMED_HOLDS_MAX} settlements wait for the ledger already`)
    }
    this.#holds.set(id, { account, amount, confirmed: false })
    account.countUnconfirmedHold(amount)
  }

  #confirm(id: string): void {
    const hold = this.#holds.get(id)
    if (hold !== undefined) hold.confirmed = true
  }

  #drop(id: string): void {
    const hold = this.#holds.get(id)
    if (hold === undefined) return
    this.#holds.delete(id)
    hold.account.countUnconfirmedHold(-hold.amount)
  }

  async #call<T>(account: ExclusiveAccount | undefined, call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      if (error instanceof LedgerUnavailableError) {
        if (account !== undefined) this.#behind.add(account)
        this.#deps.unavailable(error.message)
      } else {
        this.#deps.refused()
      }
      throw error
    }
  }

  /** The call is booked: waits, for a while, until the balance in memory shows it. */
  async #catchUp(account: ExclusiveAccount): Promise<void> {
    const stop = new AbortController()
    const tooLong = delay(TAKE_OVER_WAIT_MS, undefined, { signal: stop.signal }).catch(() => undefined)
    await Promise.race([this.#takeOver(account), tooLong])
    stop.abort()
  }

  /** Resolves after a reading that began after this call; readings asked for meanwhile share one. */
  #takeOver(account: ExclusiveAccount): Promise<void> {
    this.#behind.add(account)
    const queued = this.#queued.get(account)
    if (queued !== undefined) return queued
    const done = new Promise<void>((resolve) => {
      this.#deps.writer.whenIdle(async () => {
        this.#queued.delete(account)
        await this.#read(account)
        resolve()
      })
    })
    this.#queued.set(account, done)
    return done
  }

  async #read(account: ExclusiveAccount): Promise<void> {
    const settled = [...this.#holds].filter(([, hold]) => hold.account === account && hold.confirmed)
    try {
      const stored = await this.#deps.store.openAccount(account.toSpec(), account.index)
      account.takeOver(stored)
      for (const [id] of settled) this.#drop(id)
      this.#behind.delete(account)
    } catch (error) {
      if (error instanceof LedgerUnavailableError) this.#deps.unavailable(error.message)
      else this.#deps.fault(error instanceof Error ? error : new LedgerFaultError(String(error)))
    }
  }
}
