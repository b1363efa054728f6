import type { Amount } from '../ilp/amount.ts'
import type { LedgerAccount } from '../ledger/ledger.ts'
import { LogGate } from '../lib/log-gate.ts'
import type { Link } from '../peers/link.ts'
import type { Conversion } from '../rates/conversion.ts'
import type { Asset, Rational } from '../rates/rate-provider.ts'
import { AmountRate, PacketRate } from './rate-limits.ts'

/** What an operator may change about an account while packets flow. Amounts in smallest units. */
export interface AccountSettings {
  /** Undefined: no limit. Above it F08. */
  maxPacketAmount: Amount | undefined
  packetsPerSecond: number
  packetBurst: number
  incomingAmountPerSecond: bigint | undefined
  outgoingAmountPerSecond: bigint | undefined
  packetsInFlightMax: number
  amountInFlightMax: Amount | undefined
  minMessageWindowMs: number
  maxHoldTimeMs: number
  spread: Rational
  allowReflection: boolean
}

export interface AccountOptions {
  id: string
  relation: 'parent' | 'peer' | 'child' | 'local'
  asset: Asset
  /** Last segment of the address it gets from us; undefined for parents and peers. */
  addressSegment: string | undefined
  settings: AccountSettings
}

/** A conversion towards another account, valid for one version of the rates. */
interface CachedConversion {
  payee: Account
  ratesVersion: number
  settingsVersion: number
  conversion: Conversion | undefined
}

/** One peer as the packet path sees it: link, books, limits and what is in flight. */
export class Account {
  readonly id: string
  readonly relation: AccountOptions['relation']
  readonly asset: Asset
  readonly addressSegment: string | undefined
  readonly ledger: LedgerAccount
  link: Link | undefined
  settings: AccountSettings
  packetRate: PacketRate
  incomingRate: AmountRate | undefined
  outgoingRate: AmountRate | undefined
  packetsInFlight = 0
  amountInFlight: Amount = 0
  /** Set for accounts that settle: we may owe more than before. Called for each packet, so it must cost nothing. */
  earned: (() => void) | undefined
  /** Booked since start, smallest units. */
  credited: Amount = 0
  debited: Amount = 0
  /** When the last fault of this peer was logged. */
  readonly faultLog = new LogGate()
  /** By the payee's ledger index. */
  readonly conversions: (CachedConversion | undefined)[] = []
  #settingsVersion = 0

  constructor(options: AccountOptions, deps: { ledger: LedgerAccount; nowMs: number }) {
    this.id = options.id
    this.relation = options.relation
    this.asset = options.asset
    this.addressSegment = options.addressSegment
    this.ledger = deps.ledger
    this.settings = options.settings
    this.packetRate = packetRateOf(options.settings)
    this.incomingRate = amountRateOf(options.settings.incomingAmountPerSecond, deps.nowMs)
    this.outgoingRate = amountRateOf(options.settings.outgoingAmountPerSecond, deps.nowMs)
  }

  get connected(): boolean {
    return this.link?.connected ?? false
  }

  get settingsVersion(): number {
    return this.#settingsVersion
  }

  /** Takes effect with the next packet. */
  change(settings: AccountSettings, nowMs: number): void {
    this.settings = settings
    this.packetRate = packetRateOf(settings)
    this.incomingRate = amountRateOf(settings.incomingAmountPerSecond, nowMs)
    this.outgoingRate = amountRateOf(settings.outgoingAmountPerSecond, nowMs)
    this.#settingsVersion++
  }
}

function packetRateOf(settings: AccountSettings): PacketRate {
  return new PacketRate(settings.packetsPerSecond, settings.packetBurst)
}

function amountRateOf(perSecond: bigint | undefined, nowMs: number): AmountRate | undefined {
  return perSecond === undefined ? undefined : new AmountRate(perSecond, nowMs)
}
