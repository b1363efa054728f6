import { createHash } from 'node:crypto'
import { VALUE_MAX } from '../ledger/check-ledger-input.ts'
import type { LedgerAccount } from '../ledger/ledger.ts'
import type { Logger } from '../lib/logger.ts'
import { CreditConflictError, type CreditJournal, type ReceivedCredit } from './credit-journal.ts'
import type { IncomingCredit, Quantity } from './engine.ts'
import { checkQuantity, convertQuantity } from './quantity.ts'
import type { SettlementLedger } from './settlement-ledger.ts'
import { SettlementRefusal } from './settlement-refusal.ts'
import type { SuspenseBooks, SuspenseEntry } from './suspense-books.ts'

/** Credits that wait for the ledger at the same time; engines repeat those beyond it. */
const UNDER_WAY_MAX = 10_000
/** Credits that are read at once to be finished: while a ledger is away many may wait for it. */
const PAGE = 1_000

export interface IncomingCreditsDeps {
  journal: CreditJournal
  ledger: Pick<SettlementLedger, 'settleIn'>
  suspense: SuspenseBooks
  /** The account of the node with that id, if there is one. */
  account(id: string): LedgerAccount | undefined
  logger: Logger
}

/**
 * Credits exactly what engines say came in, once per credit id: the row first, then the ledger by an id that follows
 * from the credit's, then the row again. A crash anywhere in between is made good by doing the same again.
 */
export class IncomingCredits {
  readonly #deps: IncomingCreditsDeps
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(deps: IncomingCreditsDeps) {
    this.#deps = deps
  }

  /**
   * Resolves once the credit is booked for good.
   * @throws CreditConflictError when the id was told before with other fields
   * @throws RangeError for a quantity that is no money or more than the ledger can hold, or an id that cannot be kept
   */
  async credit(engine: string, credit: IncomingCredit): Promise<void> {
    checkCredit(credit)
    const { journal, logger } = this.#deps
    const known = journal.get(engine, credit.id)
    if (known === undefined) {
      const { account, reason } = this.#payer(credit)
      if (!fitsLedger(credit.quantity, account?.assetScale ?? credit.quantity.scale)) {
        throw new RangeError(`credit ${credit.id} is more than the ledger can hold: nothing was written`)
      }
      if (account === undefined) {
        logger.warn('settlement from nobody known goes to suspense', { engine, creditId: credit.id, reason })
      }
      journal.add(engine, credit, account, reason)
    } else if (!isSame(known, credit)) {
      logger.error('alarm: a credit was told again with other fields', { engine, creditId: credit.id })
      throw new CreditConflictError(
        `credit ${credit.id} was told before with other fields: nothing was changed`,
      )
    }
    await this.#finish(engine, credit.id)
  }

  /**
   * Gives a credit in SUSPENSE to an account.
   * @throws SettlementRefusal when there is no such credit or account, or it went to another account before
   */
  async attribute(engine: string, id: string, accountId: string): Promise<ReceivedCredit> {
    const { journal } = this.#deps
    const credit = journal.get(engine, id)
    if (credit === undefined)
      throw new SettlementRefusal('not-found', `there is no credit ${id} of ${engine}`)
    const account = this.#deps.account(accountId)
    if (account === undefined)
      throw new SettlementRefusal('not-found', `there is no account "${accountId}" that settles`)
    if (credit.state === 'suspended') {
      if (account.assetCode !== credit.assetCode) {
        throw new SettlementRefusal(
          'invalid',
          `account "${accountId}" holds ${account.assetCode}, the credit is in ${credit.assetCode}`,
        )
      }
      if (!fitsLedger(credit.quantity, account.assetScale)) {
        const text = `credit ${id} is more than the ledger can hold in the units of account "${accountId}"`
        throw new SettlementRefusal('invalid', text)
      }
      journal.attribute(credit, account)
    } else if (credit.accountId !== accountId) {
      const where = credit.accountId ?? 'suspense, and is not booked there yet'
      throw new SettlementRefusal('conflict', `credit ${id} went to ${where}: it cannot be attributed`)
    }
    await this.#finish(engine, id)
    return journal.get(engine, id)!
  }

  /** Finishes what a crash or a ledger out of reach left open, in order; rejects when something still is. */
  async takeUp(): Promise<void> {
    let failed = 0
    let first = ''
    for (let after = 0, isMore = true; isMore; ) {
      const page = this.#deps.journal.open({ after, limit: PAGE })
      for (const { engine, id, sequence } of page) {
        after = sequence
        try {
          await this.#finish(engine, id)
        } catch (error) {
          if (failed++ === 0) first = `${id}: ${error instanceof Error ? error.message : String(error)}`
        }
      }
      isMore = page.length === PAGE
    }
    if (failed > 0) throw new Error(`${failed} credits are not booked: ${first}`)
  }

  get hasOpen(): boolean {
    return this.#deps.journal.open({ limit: 1 }).length > 0
  }

  #payer(credit: IncomingCredit): { account: LedgerAccount | undefined; reason: string | undefined } {
    if (credit.accountId === undefined) return { account: undefined, reason: 'unknown sender' }
    const account = this.#deps.account(credit.accountId)
    if (account === undefined) return { account, reason: 'unknown account' }
    if (account.assetCode !== credit.assetCode) return { account: undefined, reason: 'other asset' }
    return { account, reason: undefined }
  }

  #finish(engine: string, id: string): Promise<void> {
    const key = `${engine} ${id}`
    const running = this.#underWay.get(key)
    if (running !== undefined) return running
    if (this.#underWay.size >= UNDER_WAY_MAX) {
      return Promise.reject(new Error(`${UNDER_WAY_MAX} credits wait for the ledger: tell it again later`))
    }
    const started = this.#book(engine, id).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, started)
    return started
  }

  async #book(engine: string, id: string): Promise<void> {
    const { journal, suspense } = this.#deps
    const credit = journal.get(engine, id)!
    switch (credit.state) {
      case 'booked':
      case 'suspended':
        return
      case 'suspending':
        await suspense.suspend(suspenseEntry(credit))
        break
      case 'attributing':
        await suspense.release(suspenseEntry(credit))
        await this.#settleIn(credit, `${ledgerId(credit)}.to`)
        break
      case 'booking':
        await this.#settleIn(credit, ledgerId(credit))
        break
    }
    journal.finish(credit)
  }

  async #settleIn(credit: ReceivedCredit, id: string): Promise<void> {
    const { accountId = '', engine, booked } = credit
    const account = this.#deps.account(accountId)
    if (account === undefined) {
      throw new Error(`account "${accountId}" of credit ${credit.id} is not there: add it again`)
    }
    // Nothing but remainder: there is nothing to book yet.
    if (booked === undefined || booked.amount === 0n) return
    await this.#deps.ledger.settleIn({ id, account, engine, amount: booked.amount })
  }
}

/** The same after every crash, and never that of another: ids of engines may be long and may be alike. */
function ledgerId({ engine, id }: ReceivedCredit): string {
  return `credit.${createHash('sha256').update(`${engine}\n${id}`).digest('base64url')}`
}

function suspenseEntry(credit: ReceivedCredit): SuspenseEntry {
  const { engine, assetCode, quantity } = credit
  return { id: ledgerId(credit), engine, assetCode, assetScale: quantity.scale, amount: quantity.amount }
}

function checkCredit({ id, quantity, assetCode }: IncomingCredit): void {
  if (id.length < 1 || id.length > 128) throw new RangeError('a credit id has 1 to 128 characters')
  if (!/^[A-Za-z0-9._-]{1,32}$/.test(assetCode)) throw new RangeError(`"${assetCode}" is no asset code`)
  checkQuantity(quantity)
  if (quantity.amount === 0n) throw new RangeError(`credit ${id} is of nothing`)
}

/** Whether the ledger books it to an account of that scale, whatever remainder the account has. */
function fitsLedger(quantity: Quantity, scale: number): boolean {
  return convertQuantity(quantity, scale).amount < VALUE_MAX
}

function isSame(known: ReceivedCredit, credit: IncomingCredit): boolean {
  return (
    known.toldAccountId === credit.accountId &&
    known.assetCode === credit.assetCode &&
    known.quantity.amount === credit.quantity.amount &&
    known.quantity.scale === credit.quantity.scale
  )
}
