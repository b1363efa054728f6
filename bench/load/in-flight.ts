import { CONDITION_WORDS } from './packets.ts'

/** Packets that the load has under way at most. Tags are this many slots times a generation. */
export const IN_FLIGHT_MAX = 65_536
/** Tags with all upper bits set belong to the link (`src/peers/link.ts`). */
const GENERATIONS = 0xffff
/** `take` when every slot is taken. */
export const NO_TAG = -1

/** What the load knows of each packet under way, in typed arrays. A tag is unique among packets in flight. */
export class InFlight {
  /** Of the packet in a slot: {@link CONDITION_WORDS} words from slot times that. */
  readonly conditions = new Uint32Array(IN_FLIGHT_MAX * CONDITION_WORDS)
  readonly #free = Uint16Array.from({ length: IN_FLIGHT_MAX }, (_, index) => IN_FLIGHT_MAX - 1 - index)
  #freeCount = IN_FLIGHT_MAX
  readonly #generation = new Uint16Array(IN_FLIGHT_MAX)
  readonly #payer = new Uint16Array(IN_FLIGHT_MAX)
  readonly #dueAt = new Float64Array(IN_FLIGHT_MAX)
  /** 0 marks a free slot. */
  readonly #expiresAt = new Float64Array(IN_FLIGHT_MAX)

  get size(): number {
    return IN_FLIGHT_MAX - this.#freeCount
  }

  /**
   * Enters a packet.
   * @param dueAt when it was to be sent, on the clock of `performance.now()`
   * @returns its tag, or {@link NO_TAG}
   */
  take(payer: number, dueAt: number, expiresAtMs: number): number {
    if (this.#freeCount === 0) return NO_TAG
    const slot = this.#free[--this.#freeCount]!
    this.#payer[slot] = payer
    this.#dueAt[slot] = dueAt
    this.#expiresAt[slot] = expiresAtMs
    return this.#generation[slot]! * IN_FLIGHT_MAX + slot
  }

  /** Whether the tag is that of a packet of this payer that has had no answer yet. */
  has(tag: number, payer: number): boolean {
    const slot = tag % IN_FLIGHT_MAX
    return (
      this.#expiresAt[slot] !== 0 &&
      this.#generation[slot] === Math.floor(tag / IN_FLIGHT_MAX) &&
      this.#payer[slot] === payer
    )
  }

  /** Where the condition of a packet begins in `conditions`. */
  conditionAt(tag: number): number {
    return (tag % IN_FLIGHT_MAX) * CONDITION_WORDS
  }

  dueAt(tag: number): number {
    return this.#dueAt[tag % IN_FLIGHT_MAX]!
  }

  /** Ends a packet. The tag must be in flight. */
  free(tag: number): void {
    const slot = tag % IN_FLIGHT_MAX
    this.#expiresAt[slot] = 0
    this.#generation[slot] = (this.#generation[slot]! + 1) % GENERATIONS
    this.#free[this.#freeCount++] = slot
  }

  /** Calls `found` with each packet whose expiry is before `timeMs`; it may free it. */
  forEachExpired(timeMs: number, found: (tag: number) => void): void {
    if (this.size === 0) return
    for (let slot = 0; slot < IN_FLIGHT_MAX; slot++) {
      const expiresAt = this.#expiresAt[slot]!
      if (expiresAt !== 0 && expiresAt < timeMs) found(this.#generation[slot]! * IN_FLIGHT_MAX + slot)
    }
  }
}
