import assert from 'node:assert'
import type { AssetAccountKind, PacketLeg } from '../chart-of-accounts.ts'
import { assetAccountName, isSameAsset, packetLegs, settlementAccountName } from '../chart-of-accounts.ts'
import type { AccountRow, AccountSums, AccountTable } from './account-table.ts'
import { ACCOUNT_ROWS_MAX, NO_ACCOUNT, type PacketSum, SumKind } from './packet-netting.ts'
import {
  type LinkedTransfer,
  type Transfer,
  TransferKind,
  TransferState,
  type TransferTable,
} from './transfer-table.ts'

/** Double entry: the one place where transfers are made, together with the sums of their accounts. */
export class Posting {
  readonly #accounts: AccountTable
  readonly #transfers: TransferTable

  constructor(accounts: AccountTable, transfers: TransferTable) {
    this.#accounts = accounts
    this.#transfers = transfers
  }

  /** Posts or holds one transfer and returns its id. */
  book(transfer: Transfer): number {
    return this.#bookAll([transfer])
  }

  /** Ends a held transfer. */
  resolve(id: number, held: Pick<Transfer, 'debit' | 'credit' | 'amount'>, to: 'posted' | 'voided'): void {
    const { amount } = held
    const posted = to === 'posted' ? amount : 0n
    const debit = this.#accounts.sums(held.debit)
    debit.debitsPending -= amount
    debit.debitsPosted += posted
    const credit = this.#accounts.sums(held.credit)
    credit.creditsPending -= amount
    credit.creditsPosted += posted
    assert(debit.debitsPending >= 0n && credit.creditsPending >= 0n, 'no more is resolved than was held')
    this.#accounts.update(held.debit, debit)
    this.#accounts.update(held.credit, credit)
    this.#transfers.setState(id, TransferState[to])
  }

  /** Posts sums of packets: one transfer per debit account, credit account and kind. */
  bookPackets(sums: Iterable<PacketSum>, timestampMs: number): void {
    const transfers: Transfer[] = []
    // Sums are per payer and payee already; only the legs to and from our own accounts meet again.
    const own = new Map<number, Transfer>()
    for (const sum of sums) this.#addLegs(transfers, own, sum, timestampMs)
    for (const transfer of own.values()) transfers.push(transfer)
    this.#bookAll(transfers)
  }

  /** Row id of an account that exists once per asset, in the asset of `like`. */
  #assetAccount(kind: AssetAccountKind, like: AccountRow): number {
    const known = like.assetAccounts[kind]
    if (known !== undefined) return known
    const { assetCode, assetScale } = like
    const name = assetAccountName(kind, assetCode, assetScale)
    const { id } = this.#accounts.ensure(kind, name, assetCode, assetScale)
    like.assetAccounts[kind] = id
    return id
  }

  /** Money outside that `engine` moves, in the asset of the account with that row. */
  settlementAccount(engine: string, accountId: number): AccountRow {
    const { assetCode, assetScale } = this.#accounts.at(accountId)
    const name = settlementAccountName(assetCode, assetScale, engine)
    return this.#accounts.ensure('settlement', name, assetCode, assetScale)
  }

  /** Writes the transfers and the accounts they touch, each account once. Returns the last transfer's id. */
  #bookAll(transfers: Iterable<Transfer>): number {
    const touched = new Map<number, AccountSums>()
    const linked: LinkedTransfer[] = []
    let id = 0
    for (const transfer of transfers) {
      const { state, amount } = transfer
      assert(state !== TransferState.voided, 'what is voided was held before')
      id = this.#transfers.nextId()
      const debit = this.#touch(touched, transfer.debit)
      const credit = this.#touch(touched, transfer.credit)
      if (state === TransferState.posted) {
        debit.debitsPosted += amount
        credit.creditsPosted += amount
      } else {
        debit.debitsPending += amount
        credit.creditsPending += amount
      }
      linked.push({ ...transfer, id, debitPrevious: debit.lastTransfer, creditPrevious: credit.lastTransfer })
      debit.lastTransfer = id
      credit.lastTransfer = id
    }
    this.#transfers.add(linked)
    for (const [row, sums] of touched) this.#accounts.update(row, sums)
    return id
  }

  #touch(touched: Map<number, AccountSums>, row: number): AccountSums {
    let sums = touched.get(row)
    if (sums === undefined) {
      sums = this.#accounts.sums(row)
      touched.set(row, sums)
    }
    return sums
  }

  #addLegs(transfers: Transfer[], own: Map<number, Transfer>, sum: PacketSum, timestampMs: number): void {
    if (sum.payer === NO_ACCOUNT) return this.#addPayeeLeg(own, sum, timestampMs)
    if (sum.payee === NO_ACCOUNT && sum.kind !== SumKind.compensations) {
      return this.#addPayerLegs(own, sum, timestampMs)
    }
    const payer = this.#accounts.at(sum.payer)
    const { posted: state } = TransferState
    if (sum.kind === SumKind.compensations) {
      const debit = this.#assetAccount('loss', payer)
      const amount = BigInt(sum.inAmount)
      if (amount === 0n) return
      const kind = TransferKind.loss
      return addOwn(own, { kind, state, debit, credit: payer.id, amount, packetCount: 0, timestampMs })
    }
    const payee = this.#accounts.at(sum.payee)
    const legs = packetLegs(isSameAsset(payer, payee), BigInt(sum.inAmount), BigInt(sum.outAmount))
    for (const leg of legs) {
      const debit = leg.debit === 'payer' ? payer.id : this.#assetAccount('fx', payee)
      const credit = this.#creditOf(leg, payer, payee)
      const kind = TransferKind.packets
      const { amount } = leg
      const transfer = { kind, state, debit, credit, amount, packetCount: sum.count, timestampMs }
      if (leg.debit === 'payer' && leg.credit === 'payee') transfers.push(transfer)
      else addOwn(own, transfer)
    }
  }

  /** What a payer paid to anyone, of packets summed by account. */
  #addPayerLegs(own: Map<number, Transfer>, sum: PacketSum, timestampMs: number): void {
    const payer = this.#accounts.at(sum.payer)
    const isExchange = sum.kind === SumKind.exchanged
    const outAmount = BigInt(sum.outAmount)
    const spread = BigInt(sum.inAmount) - outAmount
    const legs = isExchange
      ? ([['fx', BigInt(sum.inAmount)]] as const)
      : ([
          ['transit', outAmount],
          ['revenue', spread],
        ] as const)
    for (const [kind, amount] of legs) {
      addPackets(own, { debit: payer.id, credit: this.#assetAccount(kind, payer), amount, timestampMs }, sum)
    }
  }

  /** What a payee got from anyone, of packets summed by account. */
  #addPayeeLeg(own: Map<number, Transfer>, sum: PacketSum, timestampMs: number): void {
    const payee = this.#accounts.at(sum.payee)
    const debit = this.#assetAccount(sum.kind === SumKind.exchanged ? 'fx' : 'transit', payee)
    addPackets(own, { debit, credit: payee.id, amount: BigInt(sum.outAmount), timestampMs }, sum)
  }

  #creditOf(leg: PacketLeg, payer: AccountRow, payee: AccountRow): number {
    if (leg.credit === 'payee') return payee.id
    return this.#assetAccount(leg.credit === 'revenue' ? 'revenue' : 'fx', payer)
  }
}

function addPackets(
  own: Map<number, Transfer>,
  move: Pick<Transfer, 'debit' | 'credit' | 'amount' | 'timestampMs'>,
  { count }: PacketSum,
): void {
  if (move.amount === 0n) return
  addOwn(own, { ...move, kind: TransferKind.packets, state: TransferState.posted, packetCount: count })
}

function addOwn(own: Map<number, Transfer>, transfer: Transfer): void {
  const key = (transfer.kind * ACCOUNT_ROWS_MAX + transfer.debit) * ACCOUNT_ROWS_MAX + transfer.credit
  const known = own.get(key)
  if (known === undefined) {
    own.set(key, transfer)
    return
  }
  known.amount += transfer.amount
  known.packetCount += transfer.packetCount
}
