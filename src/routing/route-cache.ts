import type { RouteTable } from './route-table.ts'

/** Addresses remembered: more than the destinations of a busy second; about 9 MB in all. A power of two. */
const SLOTS = 65_536
/** Bytes per slot: two cache lines. Eight for the table's version, four for the hash, four for the key's length. */
const SLOT_LENGTH = 128
const HASH_WORD = 2
const LENGTH_WORD = 3
const KEY_START = 16
/** Bytes of an address that are kept; longer ones go to the table each time. Route prefixes are far shorter. */
const KEY_LENGTH_MAX = SLOT_LENGTH - KEY_START
const DOT = 0x2e

/**
 * Remembers which way addresses go, without making a string per packet. The key is the part of the address that can
 * influence the choice: as many segments as the longest prefix of the table has. So all connections to one account
 * share an entry, and made-up account names below a known prefix do not push anything out.
 *
 * Each address has exactly one slot and the newest wins: whoever floods the cache with addresses makes others pay at
 * most the table's lookup again. Answers "no route" are remembered too. An entry counts at the version of the table
 * at which it was made.
 */
export class RouteCache<T> {
  readonly #table: RouteTable<T>
  readonly #seed: number
  readonly #bytes = new Uint8Array(SLOTS * SLOT_LENGTH)
  readonly #words = new Uint32Array(this.#bytes.buffer)
  readonly #versions = new Float64Array(this.#bytes.buffer)
  readonly #targets: (T | undefined)[] = new Array<T | undefined>(SLOTS).fill(undefined)

  /** @param seed any 32-bit integer; a random one keeps outsiders from choosing addresses that share a slot. */
  constructor(table: RouteTable<T>, seed: number) {
    this.#table = table
    this.#seed = seed
  }

  /** The target for the ASCII address in `buffer`; undefined when no route leads there. */
  find(buffer: Buffer, offset: number, length: number): T | undefined {
    const end = offset + length
    const scanEnd = length > KEY_LENGTH_MAX ? offset + KEY_LENGTH_MAX + 1 : end
    const depthMax = this.#table.depthMax
    let hash = this.#seed | 0
    let depth = 1
    let at = offset
    for (; at < scanEnd; at++) {
      const byte = buffer[at] as number
      if (byte === DOT && depth++ >= depthMax) break
      hash = Math.imul(hash ^ byte, 0x01000193)
    }
    const keyLength = at - offset
    if (keyLength > KEY_LENGTH_MAX) return this.#lookUp(buffer, offset, end)
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
    hash = (hash ^ (hash >>> 13)) >>> 0

    const slot = hash & (SLOTS - 1)
    const start = slot * SLOT_LENGTH
    const word = start >>> 2
    const version = this.#table.version
    if (
      this.#words[word + HASH_WORD] === hash &&
      this.#words[word + LENGTH_WORD] === keyLength &&
      this.#versions[start >>> 3] === version &&
      this.#sameKey(start + KEY_START, buffer, offset, keyLength)
    ) {
      return this.#targets[slot]
    }
    const target = this.#lookUp(buffer, offset, at)
    this.#versions[start >>> 3] = version
    this.#words[word + HASH_WORD] = hash
    this.#words[word + LENGTH_WORD] = keyLength
    for (let i = 0; i < keyLength; i++) this.#bytes[start + KEY_START + i] = buffer[offset + i] as number
    this.#targets[slot] = target
    return target
  }

  #sameKey(keyStart: number, buffer: Buffer, offset: number, length: number): boolean {
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) if (bytes[keyStart + i] !== buffer[offset + i]) return false
    return true
  }

  #lookUp(buffer: Buffer, start: number, end: number): T | undefined {
    return this.#table.lookup(buffer.toString('latin1', start, end))?.target
  }
}
