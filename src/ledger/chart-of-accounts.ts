import assert from 'node:assert'
import type { AccountKind } from './ledger.ts'

/**
 * The chart of accounts. Per peer account: `clearing` (credit-normal; what we owe the peer minus what it owes us)
 * and `line` (the credit we extend: Dr line Cr clearing, so that a limit is a property of the clearing account).
 * Per asset (code and scale): `fx` (cross-asset legs; its balance is our position), `revenue` (spread), `loss`
 * (packets we made good), `suspense` (unexplained), `capital` (own money), `transit` (zero at all times: between
 * payer and payee of packets that are summed by account). Per engine and asset: `settlement` (money outside). Every
 * transfer stays inside one asset.
 */

/** Kinds that exist once per asset. */
export type AssetAccountKind = Exclude<AccountKind, 'clearing' | 'line' | 'settlement'>

/** Two accounts hold the same asset when code and scale are equal: packets between them need no FX. */
export function isSameAsset(
  a: { assetCode: string; assetScale: number },
  b: { assetCode: string; assetScale: number },
): boolean {
  return a.assetScale === b.assetScale && a.assetCode === b.assetCode
}

/** `<code>:<scale>`, the asset part of account names. Codes contain no colon. */
export function assetName(assetCode: string, assetScale: number): string {
  assert(!assetCode.includes(':'), 'asset codes contain no colon')
  return `${assetCode}:${assetScale}`
}

/** Name of an account that exists once per asset, e.g. `revenue:USD:2`. */
export function assetAccountName(kind: AssetAccountKind, assetCode: string, assetScale: number): string {
  return `${kind}:${assetName(assetCode, assetScale)}`
}

/** Name of the account for money outside, e.g. `settlement:USD:2:evm`. */
export function settlementAccountName(assetCode: string, assetScale: number, engine: string): string {
  return `settlement:${assetName(assetCode, assetScale)}:${engine}`
}

/** Name of an account's credit line in the history, e.g. `line:alice`; in `AccountBalance` its id is the account's. */
export function lineAccountName(accountId: string): string {
  return `line:${accountId}`
}

/** One transfer of a packet (or of the sum of many with the same payer and payee). */
export interface PacketLeg {
  debit: 'payer' | 'fx-payee-asset'
  credit: 'payee' | 'revenue' | 'fx-payer-asset'
  amount: bigint
}

/**
 * How fulfilled packets are booked. Same asset: payer -> payee, and payer -> revenue for the spread. Different
 * assets: payer -> fx in the payer's asset, fx -> payee in the payee's; the spread stays in the fx position.
 * Legs of zero are left out.
 */
export function packetLegs(sameAsset: boolean, inAmount: bigint, outAmount: bigint): PacketLeg[] {
  assert(inAmount >= 0n && outAmount >= 0n, 'packet amounts are not negative')
  assert(!sameAsset || outAmount <= inAmount, 'a packet cannot deliver more than it brought, in one asset')
  const legs: PacketLeg[] = sameAsset
    ? [
        { debit: 'payer', credit: 'payee', amount: outAmount },
        { debit: 'payer', credit: 'revenue', amount: inAmount - outAmount },
      ]
    : [
        { debit: 'payer', credit: 'fx-payer-asset', amount: inAmount },
        { debit: 'fx-payee-asset', credit: 'payee', amount: outAmount },
      ]
  return legs.filter((leg) => leg.amount > 0n)
}
