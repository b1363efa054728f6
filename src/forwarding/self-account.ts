import { Account, type AccountSettings } from './account.ts'
import type { OwnRequests } from './own-requests.ts'

/** Requests of this node carry no value and are few. */
const SETTINGS: AccountSettings = {
  maxPacketAmount: 0,
  packetsPerSecond: 1_000,
  packetBurst: 1_000,
  incomingAmountPerSecond: undefined,
  outgoingAmountPerSecond: undefined,
  packetsInFlightMax: 1_000,
  amountInFlightMax: 0,
  minMessageWindowMs: 1_000,
  maxHoldTimeMs: 30_000,
  spread: { numerator: 0n, denominator: 1n },
  allowReflection: false,
}

/** The account that stands for this node: target of its own address, sender of its own requests. It has no books. */
export function createSelfAccount(nodeId: string, requests: OwnRequests, nowMs: number): Account {
  const asset = { code: 'none', scale: 0 }
  const noBooks = {
    id: nodeId,
    assetCode: asset.code,
    assetScale: asset.scale,
    index: -1,
    balance: 0,
    reserved: 0,
    outgoing: 0,
    creditLimit: 0,
  }
  const account = new Account(
    { id: nodeId, relation: 'local', asset, addressSegment: undefined, settings: SETTINGS },
    { ledger: noBooks, nowMs },
  )
  account.link = requests
  return account
}
