import { randomBytes } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'

/** Ids of one millisecond: 12 bits. */
const SEQUENCE_MAX = 0xfff
const VERSION_7 = 0x7000
const VARIANT = 0x8000
const VARIANT_MASK = 0x3fff

/**
 * Ids of outgoing settlements: UUIDs of version 7 (RFC 9562). They rise in the order in which a process makes them
 * and carry 62 random bits, so that none ever comes twice: they are idempotency keys for good.
 */
export class SettlementIds {
  readonly #clock: Clock
  #lastMs = 0
  #sequence = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  next(): string {
    const now = this.#clock.now()
    if (now > this.#lastMs) {
      this.#lastMs = now
      this.#sequence = 0
    } else if (++this.#sequence > SEQUENCE_MAX) {
      // More in one millisecond than fit, or a clock that stands: ahead of it rather than out of order.
      this.#lastMs++
      this.#sequence = 0
    }
    const bytes = randomBytes(16)
    bytes.writeUIntBE(this.#lastMs, 0, 6)
    bytes.writeUInt16BE(VERSION_7 | this.#sequence, 6)
    bytes.writeUInt16BE(VARIANT | (bytes.readUInt16BE(8) & VARIANT_MASK), 8)
    const hex = bytes.toString('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }
}
