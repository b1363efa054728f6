import type { Amount } from './amount.ts'

/** First byte of an ILP packet (RFC 27). */
export const PacketType = { prepare: 12, fulfill: 13, reject: 14 } as const

/** Bounds of RFC 27 and its ASN.1. Bytes. */
export const DATA_LENGTH_MAX = 32_767
export const ADDRESS_LENGTH_MAX = 1_023
export const MESSAGE_LENGTH_MAX = 8_191
export const PREPARE_LENGTH_MAX = 33_857
export const FULFILL_LENGTH_MAX = 32_806
export const REJECT_LENGTH_MAX = 41_997
/** No ILP packet is longer than a maximal Reject. */
export const PACKET_LENGTH_MAX = Math.max(PREPARE_LENGTH_MAX, FULFILL_LENGTH_MAX, REJECT_LENGTH_MAX)

/**
 * A Prepare seen in its own buffer: offsets instead of copies. One view is filled again and again by
 * `parsePrepare`; it is valid until its buffer is reused.
 */
export interface PrepareView {
  buffer: Buffer
  /** First byte of the packet (the type byte). */
  start: number
  /** One past the last byte that belongs to the packet. */
  end: number
  amount: Amount
  amountOffset: number
  /** Milliseconds since the Unix epoch. */
  expiresAtMs: number
  /** 17 ASCII digits follow. */
  expiryOffset: number
  /** 32 bytes follow. */
  conditionOffset: number
  destinationOffset: number
  destinationLength: number
  dataOffset: number
  dataLength: number
  /** False when the sender used longer lengths than needed or added trailing bytes: such a packet is encoded anew before it is forwarded. */
  canonical: boolean
}

/** A Fulfill seen in its own buffer. */
export interface FulfillView {
  buffer: Buffer
  start: number
  end: number
  /** 32 bytes follow. */
  fulfillmentOffset: number
  dataOffset: number
  dataLength: number
  canonical: boolean
}

/** A Reject seen in its own buffer. */
export interface RejectView {
  buffer: Buffer
  start: number
  end: number
  /** 3 ASCII characters follow. */
  codeOffset: number
  triggeredByOffset: number
  triggeredByLength: number
  messageOffset: number
  messageLength: number
  dataOffset: number
  dataLength: number
  canonical: boolean
}
