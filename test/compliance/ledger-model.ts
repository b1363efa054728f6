/** The books in their plainest form: what the ledger must agree with. */
export interface ModelAccount {
  id: string
  assetCode: string
  assetScale: number
  balance: bigint
  reserved: bigint
  outgoing: bigint
  held: bigint
  creditLimit: bigint
  payableLimit: bigint | undefined
}

export interface ModelPacket {
  payer: ModelAccount
  payee: ModelAccount
  inAmount: bigint
  outAmount: bigint
}

interface ModelSettlement {
  account: ModelAccount
  amount: bigint
  state: 'held' | 'posted' | 'voided'
}

/** Reference model of a ledger: bigint, one step at a time, no batches. */
export class LedgerModel {
  readonly accounts = new Map<string, ModelAccount>()
  /** Balances of the node's own accounts, by name. */
  readonly own = new Map<string, bigint>()
  readonly settlements = new Map<string, ModelSettlement>()
  readonly receipts = new Set<string>()

  reserve(packet: ModelPacket): 'reserved' | 'creditExceeded' | 'payableExceeded' {
    const { payer, payee, inAmount, outAmount } = packet
    if (inAmount === 0n && outAmount === 0n) return 'reserved'
    if (payer.balance - payer.reserved - payer.held - inAmount < -payer.creditLimit) return 'creditExceeded'
    const { payableLimit } = payee
    if (payableLimit !== undefined && payee.balance + payee.outgoing + outAmount > payableLimit) {
      return 'payableExceeded'
    }
    payer.reserved += inAmount
    payee.outgoing += outAmount
    return 'reserved'
  }

  release({ payer, payee, inAmount, outAmount }: ModelPacket): void {
    payer.reserved -= inAmount
    payee.outgoing -= outAmount
  }

  commit(packet: ModelPacket): void {
    const { payer, payee, inAmount, outAmount } = packet
    this.release(packet)
    payer.balance -= inAmount
    payee.balance += outAmount
    if (assetOf(payer) === assetOf(payee))
      return this.#book(`revenue:${assetOf(payer)}`, inAmount - outAmount)
    this.#book(`fx:${assetOf(payer)}`, inAmount)
    this.#book(`fx:${assetOf(payee)}`, -outAmount)
  }

  abandon(packet: ModelPacket): void {
    this.commit(packet)
    packet.payer.balance += packet.inAmount
    this.#book(`loss:${assetOf(packet.payer)}`, -packet.inAmount)
  }

  /** Whether the receipt is new. */
  settleIn(id: string, account: ModelAccount, amount: bigint): boolean {
    if (this.receipts.has(id)) return false
    this.receipts.add(id)
    account.balance += amount
    this.#book(`settlement:${assetOf(account)}:evm`, -amount)
    return true
  }

  hold(id: string, account: ModelAccount, amount: bigint): void {
    if (this.settlements.has(id)) return
    this.settlements.set(id, { account, amount, state: 'held' })
    account.held += amount
  }

  /** False when the settlement was resolved the other way before. */
  resolve(id: string, to: 'posted' | 'voided'): boolean {
    const settlement = this.settlements.get(id)!
    if (settlement.state !== 'held') return settlement.state === to
    settlement.state = to
    settlement.account.held -= settlement.amount
    if (to === 'voided') return true
    settlement.account.balance -= settlement.amount
    this.#book(`settlement:${assetOf(settlement.account)}:evm`, settlement.amount)
    return true
  }

  #book(name: string, amount: bigint): void {
    this.own.set(name, (this.own.get(name) ?? 0n) + amount)
  }
}

function assetOf(account: ModelAccount): string {
  return `${account.assetCode}:${account.assetScale}`
}
