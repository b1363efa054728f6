import type { Hex } from 'viem'

/** The terms of a channel, as the contract knows them. */
export interface ChannelTerms {
  readonly payee: Hex
  /** Zero for the native coin. */
  readonly token: Hex
  readonly signer: Hex
  /** Seconds. */
  readonly settleDelay: number
  readonly salt: Hex
}

/** A channel in the engine's books. Amounts in smallest units of the token. */
export interface ChannelRecord {
  readonly id: Hex
  readonly accountId: string
  readonly direction: 'in' | 'out'
  readonly state: 'opening' | 'open' | 'closing' | 'closed'
  readonly token: Hex
  readonly scale: number
  readonly terms: ChannelTerms
  /** Final on the chain. */
  readonly deposited: bigint
  readonly claimed: bigint
  /** `out`: the highest voucher signed; `in`: the highest voucher credited. */
  readonly cumulative: bigint
  /** `out`: what the payee says it credited. */
  readonly acked: bigint
  /** The figure that `signature` is over; below `cumulative` where books were lost. */
  readonly held: bigint
  readonly signature: Hex | undefined
  /** Seconds since the epoch. */
  readonly closeAt: number | undefined
  readonly unclaimedSinceMs: number | undefined
  /** A claim that is under way. */
  readonly claimPurpose: string | undefined
}
