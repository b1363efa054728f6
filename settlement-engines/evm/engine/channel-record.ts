import type { Hex } from 'viem'
import type { ChannelOnChain } from './channel-contract.ts'

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

/** A channel that is on the chain and not in the books: what was signed or credited before, the caller finds out. */
export function recordOf(
  found: ChannelOnChain,
  own: Pick<ChannelRecord, 'id' | 'accountId' | 'direction' | 'scale'>,
): ChannelRecord {
  const { claimed, closeAt, deposited, payee, settleDelay, signer, state, token } = found
  return {
    ...own,
    state,
    token,
    // The chain does not keep the salt, and nobody needs it any more.
    terms: { payee, token, signer, settleDelay, salt: `0x${'0'.repeat(64)}` },
    deposited,
    claimed,
    cumulative: 0n,
    acked: 0n,
    held: 0n,
    signature: undefined,
    closeAt,
    unclaimedSinceMs: undefined,
    claimPurpose: undefined,
  }
}
