/** A kind of money: its asset in the ledgers, and how the nodes settle it. Its name is that of the engine, too. */
export interface MoneyKind {
  readonly name: string
  readonly asset: { readonly code: string; readonly scale: number }
  /** Decimals of the token on the chain. */
  readonly tokenScale: number
  /** The chain's own coin, not a token. */
  readonly isCoin: boolean
  readonly mode: 'channel' | 'transfer'
}

/** Every way to settle, over scales that are finer, coarser and the same as the ledger's. */
export const MONEY_KINDS: readonly MoneyKind[] = [
  { name: 'usd', asset: { code: 'USD', scale: 9 }, tokenScale: 6, isCoin: false, mode: 'channel' },
  { name: 'eth', asset: { code: 'ETH', scale: 9 }, tokenScale: 18, isCoin: true, mode: 'channel' },
  { name: 'eur', asset: { code: 'EUR', scale: 6 }, tokenScale: 6, isCoin: false, mode: 'transfer' },
  { name: 'pol', asset: { code: 'POL', scale: 9 }, tokenScale: 18, isCoin: true, mode: 'transfer' },
]

/** So many units of any account are a whole number of units of its token. */
export const STEP = 1_000n

/** @param units of the account, a multiple of {@link STEP}. @returns the same in units of the token */
export function toToken({ asset, tokenScale }: MoneyKind, units: bigint): bigint {
  return (units * 10n ** BigInt(tokenScale)) / 10n ** BigInt(asset.scale)
}
