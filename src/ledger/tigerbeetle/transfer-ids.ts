import assert from 'node:assert'
import { createHash } from 'node:crypto'

const U128_MAX = 2n ** 128n - 1n
/** The two lowest bits of the id of a two-phase transfer say its phase. */
const PHASE_MASK = 3n
/** Bits of a derived id that are 0: room for phases, and for the further accounts of a long name. */
const DERIVED_MASK = 7n

export const Phase = { pending: 0, post: 1, void: 2, plain: 3 } as const
export type Phase = (typeof Phase)[keyof typeof Phase]

/** Legs of a packet's chain; the highest ones are not legs of the packet itself. */
export const COMPENSATION_LEG = 62
export const SHORTFALL_LEG = 63

/** Distance between the ids of two packets. */
export const PACKET_STRIDE = 1n << 24n

/** An id that anyone who knows the parts finds again, and a second hash of them that shows a collision. */
export interface DerivedId {
  id: bigint
  check: bigint
}

export function deriveId(namespace: string, kind: string, ...parts: string[]): DerivedId {
  const digest = createHash('sha256')
    .update(JSON.stringify(['causeway', namespace, kind, ...parts]))
    .digest()
  const id = digest.readBigUInt64BE(0) * 2n ** 64n + digest.readBigUInt64BE(8)
  const check = digest.readBigUInt64BE(16) * 2n ** 64n + digest.readBigUInt64BE(24)
  assert(id !== 0n && id !== U128_MAX, 'derived id is usable')
  return { id: id & ~DERIVED_MASK, check }
}

/** The id of `pendingId`'s resolution. */
export function resolutionId(pendingId: bigint, phase: 'post' | 'void'): bigint {
  return (pendingId & ~PHASE_MASK) | BigInt(Phase[phase])
}

/**
 * First id of the packet `sequence` of `epoch`: 48 bits of epoch, 56 of sequence, 16 of attempt, 6 of leg, 2 of
 * phase. Ids rise with time, which the cluster stores fastest.
 */
export function packetBaseId(epoch: number, sequence: number): bigint {
  assert(Number.isSafeInteger(epoch) && epoch > 0 && epoch < 2 ** 48, 'epoch fits 48 bits')
  assert(Number.isSafeInteger(sequence) && sequence >= 0, 'sequence is a whole number')
  return (BigInt(epoch) << 80n) | (BigInt(sequence) << 24n)
}

/** What is added to a packet's base id. */
export function legOffset(attempt: number, leg: number, phase: Phase): bigint {
  return BigInt(attempt * 256 + leg * 4 + phase)
}

/** Leg number in the id of a packet's transfer. */
export function legOf(id: bigint): number {
  return Number((id >> 2n) & 63n)
}
