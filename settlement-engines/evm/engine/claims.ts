import { createHash } from 'node:crypto'
import type { Hex } from 'viem'
import { calmTerms, type TxOutcome } from '../tx-intent.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'

/** Vouchers in one transaction: 26,000 gas each, with room for tokens that need four times that. */
const ROWS_MAX = 40

type Claimable = ChannelRecord & { signature: Hex }

/** Vouchers on their way to the contract: several that are due together go in one transaction. */
export class Claims {
  readonly #core: EngineCore

  constructor(core: EngineCore) {
    this.#core = core
  }

  /** Those that are under way, or have no voucher, are left out. */
  handIn(channels: readonly ChannelRecord[]): void {
    // As they are now: another claim may have begun since they were looked at.
    const due = channels.map(({ id }) => this.#core.channels.find(id)!).filter(isClaimable)
    // Neighbours of one token are paid in one transfer.
    due.sort((a, b) => (a.token < b.token ? -1 : a.token > b.token ? 1 : 0))
    for (let from = 0; from < due.length; from += ROWS_MAX) this.#send(due.slice(from, from + ROWS_MAX))
  }

  /** Inside the transaction that records the outcome. What a batch left out is still due, and goes into another. */
  ended(purpose: string, outcome: TxOutcome): void {
    const { alarm, channels } = this.#core
    const waiting = channels.live('in').filter(({ claimPurpose }) => claimPurpose === purpose)
    for (const { id } of waiting) channels.update(id, { claimPurpose: undefined })
    if (outcome.kind === 'succeeded' || waiting.length === 0) return
    alarm('claim-failed', { channels: waiting.map(({ id }) => id), outcome: outcome.kind })
  }

  /** The channel is gone. In a batch others count on the transaction, and the contract leaves the row out. */
  takeBack({ claimPurpose, id }: ChannelRecord): void {
    if (claimPurpose?.startsWith(`claim:${id}:`)) this.#core.sender.cancel(claimPurpose)
  }

  #send(rows: readonly Claimable[]): void {
    const { channels, contract, sender, settings, store } = this.#core
    const [first] = rows
    if (first === undefined) return
    const call =
      rows.length === 1
        ? contract.claim(first.id, first.held, first.signature)
        : contract.claimMany(rows.map(({ held, id, signature }) => ({ id, cumulative: held, signature })))
    store.transaction(() => {
      const purpose = this.#purposeOf(rows)
      for (const { id } of rows) channels.update(id, { claimPurpose: purpose })
      const feeBudget = settings.feeBudget * BigInt(rows.length)
      sender.submit({ purpose, ...call, ...calmTerms(feeBudget) })
    })
  }

  /** New each time: the same vouchers may have been in a transaction that failed. */
  #purposeOf(rows: readonly Claimable[]): string {
    const [first] = rows
    const names = rows.map(({ held, id }) => `${id}:${held}`)
    const name =
      rows.length === 1
        ? `claim:${first!.id}:${first!.held}`
        : `claims:${createHash('sha256').update(names.join()).digest('hex')}`
    let purpose = name
    for (let tries = 1; this.#core.sender.purpose(purpose) !== undefined; tries++)
      purpose = `${name}:${tries}`
    return purpose
  }
}

function isClaimable(channel: ChannelRecord): channel is Claimable {
  return channel.signature !== undefined && channel.claimPurpose === undefined
}
