import { type Address, type Hex, zeroAddress } from 'viem'
import type { Terms, TestAccount } from './channels-chain.ts'

export const CLOSED = 2n ** 64n - 1n

/** What a call must tell, in order; undefined when it must be refused. */
export type Expected =
  | readonly { readonly eventName: string; readonly args: Record<string, unknown> }[]
  | undefined
type Events = { eventName: string; args: Record<string, unknown> }[]

export interface ModelChannel {
  readonly id: Hex
  readonly payer: Address
  readonly terms: Terms
  readonly key: TestAccount
  deposited: bigint
  claimed: bigint
  /** 0 while open. */
  closeAt: bigint
}

export interface ModelRow {
  readonly id: Hex
  readonly cumulative: bigint
  /** Signed by the channel's key for exactly this. */
  readonly good: boolean
}

const FAULT = { notOpen: 1, badSignature: 2, nothingNew: 3 } as const

/** What the contract must do, written down a second time and without any of its means. */
export class ChannelsModel {
  readonly channels = new Map<Hex, ModelChannel>()
  /** Accounts that do not take payouts of a token, as `purse` names them. */
  readonly refusing = new Set<string>()
  readonly owed = new Map<string, bigint>()
  /** Changes of balances since the beginning. */
  readonly balances = new Map<string, bigint>()
  readonly #contract: Address

  constructor(contract: Address) {
    this.#contract = contract
  }

  open(caller: Address, id: Hex, terms: Terms, key: TestAccount, amount: bigint): Expected {
    if (this.channels.has(id) || amount === 0n) return undefined
    this.channels.set(id, { id, payer: caller, terms, key, deposited: amount, claimed: 0n, closeAt: 0n })
    this.#move(terms.token, caller, this.#contract, amount)
    return [{ eventName: 'ChannelOpened', args: { id, payer: caller, ...terms, deposited: amount } }]
  }

  fund(caller: Address, id: Hex, amount: bigint): Expected {
    const channel = this.channels.get(id)
    if (channel === undefined || channel.closeAt !== 0n || amount === 0n) return undefined
    channel.deposited += amount
    this.#move(channel.terms.token, caller, this.#contract, amount)
    return [{ eventName: 'ChannelFunded', args: { id, from: caller, amount, deposited: channel.deposited } }]
  }

  claim(row: ModelRow): Expected {
    const events: Events = []
    const booked = this.#book(row, events)
    if (booked === FAULT.notOpen || booked === FAULT.badSignature) return undefined
    if (typeof booked === 'object') this.#pay(booked.terms.token, booked.terms.payee, booked.amount, events)
    return events
  }

  claimMany(rows: readonly ModelRow[]): Expected {
    const events: Events = []
    let group: { token: Address; payee: Address; amount: bigint } | undefined
    for (const [index, row] of rows.entries()) {
      const booked = this.#book(row, events)
      if (typeof booked === 'number') {
        events.push({ eventName: 'RowSkipped', args: { row: BigInt(index), id: row.id, fault: booked } })
        continue
      }
      const { token, payee } = booked.terms
      if (group !== undefined && (group.token !== token || group.payee !== payee)) {
        this.#pay(group.token, group.payee, group.amount, events)
        group = undefined
      }
      group = { token, payee, amount: (group?.amount ?? 0n) + booked.amount }
    }
    if (group !== undefined) this.#pay(group.token, group.payee, group.amount, events)
    return events
  }

  requestClose(caller: Address, id: Hex, nowS: bigint): Expected {
    const channel = this.channels.get(id)
    if (channel === undefined || channel.payer !== caller || channel.closeAt !== 0n) return undefined
    channel.closeAt = nowS + BigInt(channel.terms.settleDelay)
    return [{ eventName: 'CloseRequested', args: { id, payer: caller, closeAt: channel.closeAt } }]
  }

  cancelClose(caller: Address, id: Hex): Expected {
    const channel = this.channels.get(id)
    if (channel === undefined || channel.payer !== caller) return undefined
    if (channel.closeAt === 0n || channel.closeAt === CLOSED) return undefined
    channel.closeAt = 0n
    return [{ eventName: 'CloseCancelled', args: { id, payer: caller } }]
  }

  withdraw(caller: Address, id: Hex, nowS: bigint): Expected {
    const channel = this.channels.get(id)
    if (channel === undefined || channel.closeAt === 0n || nowS < channel.closeAt) return undefined
    return this.#end(caller, channel, [])
  }

  close(caller: Address, id: Hex, voucher: ModelRow | undefined): Expected {
    const channel = this.channels.get(id)
    if (channel === undefined || channel.closeAt === CLOSED || channel.terms.payee !== caller)
      return undefined
    const events: Events = []
    if (voucher === undefined) return this.#end(caller, channel, events)
    const booked = this.#book(voucher, events)
    if (booked === FAULT.badSignature) return undefined
    return this.#end(caller, channel, events, typeof booked === 'object' ? booked.amount : 0n)
  }

  withdrawOwed(caller: Address, account: Address, token: Address, to: Address): Expected {
    if (to !== account && (token !== zeroAddress || caller !== account)) return undefined
    const amount = this.owed.get(purse(account, token)) ?? 0n
    if (amount === 0n || this.refusing.has(purse(to, token))) return undefined
    this.owed.delete(purse(account, token))
    this.#move(token, this.#contract, to, amount)
    return [{ eventName: 'OwedWithdrawn', args: { account, token, to, amount } }]
  }

  #book(row: ModelRow, events: Events): number | { terms: Terms; amount: bigint } {
    const channel = this.channels.get(row.id)
    if (channel === undefined || channel.closeAt === CLOSED) return FAULT.notOpen
    if (!row.good) return FAULT.badSignature
    const { deposited } = channel
    const isCapped = row.cumulative > deposited
    const total = isCapped ? deposited : row.cumulative
    if (total <= channel.claimed) return FAULT.nothingNew
    const amount = total - channel.claimed
    channel.claimed = total
    events.push({
      eventName: 'Claimed',
      args: { id: row.id, payee: channel.terms.payee, cumulative: row.cumulative, claimed: total, amount },
    })
    return { terms: channel.terms, amount }
  }

  #end(caller: Address, channel: ModelChannel, events: Events, claimedNow = 0n): Expected {
    const { id, payer, terms, claimed } = channel
    const rest = channel.deposited - claimed
    channel.closeAt = CLOSED
    events.push({ eventName: 'ChannelClosed', args: { id, by: caller, claimed, rest } })
    this.#pay(terms.token, terms.payee, claimedNow, events)
    this.#pay(terms.token, payer, rest, events)
    return events
  }

  #pay(token: Address, to: Address, amount: bigint, events: Events): void {
    if (amount === 0n) return
    if (!this.refusing.has(purse(to, token))) {
      this.#move(token, this.#contract, to, amount)
      return
    }
    this.owed.set(purse(to, token), (this.owed.get(purse(to, token)) ?? 0n) + amount)
    events.push({ eventName: 'PayoutDeferred', args: { account: to, token, amount } })
  }

  #move(token: Address, from: Address, to: Address, amount: bigint): void {
    this.balances.set(purse(from, token), (this.balances.get(purse(from, token)) ?? 0n) - amount)
    this.balances.set(purse(to, token), (this.balances.get(purse(to, token)) ?? 0n) + amount)
  }
}

/** Names an account's money in one token. */
export function purse(account: Address, token: Address): string {
  return `${account}/${token}`
}
