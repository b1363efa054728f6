import { randomBytes } from 'node:crypto'

/** Requests open at once on one link and in one direction. The node itself holds fewer over all links. */
export const OPEN_REQUESTS_MAX = 65_536
const CAPACITY_MIN = 256
const SEED = randomBytes(4).readInt32BE()

/**
 * The request ids that wait for an answer, each with the time after which it may be forgotten: an open-addressed
 * table in typed arrays, so that a packet costs no object.
 */
export class OpenRequests {
  #ids = new Uint32Array(CAPACITY_MIN)
  /** Milliseconds since the epoch; 0 marks a free place. */
  #forgetAt = new Float64Array(CAPACITY_MIN)
  #mask = CAPACITY_MIN - 1
  #size = 0

  get size(): number {
    return this.#size
  }

  /** False, and nothing changes, when `id` is open already or no place is left. */
  add(id: number, forgetAtMs: number): boolean {
    if (this.#size * 2 > this.#mask && !this.#grow()) return false
    const ids = this.#ids
    const forgetAt = this.#forgetAt
    let place = this.#home(id)
    while (forgetAt[place] !== 0) {
      if (ids[place] === id) return false
      place = (place + 1) & this.#mask
    }
    ids[place] = id
    forgetAt[place] = forgetAtMs > 0 ? forgetAtMs : 1
    this.#size++
    return true
  }

  has(id: number): boolean {
    return this.#find(id) >= 0
  }

  /** Whether `id` was open; it no longer is. */
  delete(id: number): boolean {
    const place = this.#find(id)
    if (place < 0) return false
    this.#free(place)
    return true
  }

  /** Forgets everything whose time is not after `nowMs`, and gives back memory. */
  forgetUntil(nowMs: number): void {
    this.#rebuild(CAPACITY_MIN, nowMs)
  }

  /** Forgets everything and returns the ids whose time is after `nowMs`. */
  drainAfter(nowMs: number): number[] {
    const open: number[] = []
    for (let place = 0; place < this.#ids.length; place++) {
      if (this.#forgetAt[place]! > nowMs) open.push(this.#ids[place]!)
    }
    this.#allocate(CAPACITY_MIN)
    return open
  }

  /** Peers choose the ids of their requests: the seed keeps them from choosing ones that fall together. */
  #home(id: number): number {
    let mixed = id ^ SEED
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
    return (mixed ^ (mixed >>> 16)) & this.#mask
  }

  #find(id: number): number {
    const ids = this.#ids
    const forgetAt = this.#forgetAt
    let place = this.#home(id)
    while (forgetAt[place] !== 0) {
      if (ids[place] === id) return place
      place = (place + 1) & this.#mask
    }
    return -1
  }

  /** Frees a place and moves later entries of the same run back, so that no search stops too early. */
  #free(freed: number): void {
    const ids = this.#ids
    const forgetAt = this.#forgetAt
    const mask = this.#mask
    let hole = freed
    let place = (hole + 1) & mask
    while (forgetAt[place] !== 0) {
      const home = this.#home(ids[place]!)
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        ids[hole] = ids[place]!
        forgetAt[hole] = forgetAt[place]!
        hole = place
      }
      place = (place + 1) & mask
    }
    forgetAt[hole] = 0
    this.#size--
  }

  #grow(): boolean {
    if (this.#size < OPEN_REQUESTS_MAX) {
      const capacity = this.#ids.length
      if (capacity < OPEN_REQUESTS_MAX * 2) this.#rebuild(capacity * 2, 0)
      return true
    }
    return false
  }

  #rebuild(capacity: number, nowMs: number): void {
    const ids = this.#ids
    const forgetAt = this.#forgetAt
    this.#allocate(capacity)
    for (let place = 0; place < ids.length; place++) {
      if (forgetAt[place]! > nowMs) this.add(ids[place]!, forgetAt[place]!)
    }
  }

  #allocate(capacity: number): void {
    this.#ids = new Uint32Array(capacity)
    this.#forgetAt = new Float64Array(capacity)
    this.#mask = capacity - 1
    this.#size = 0
  }
}
