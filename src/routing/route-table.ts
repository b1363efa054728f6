import assert from 'node:assert'

/** Most characters of a prefix: an ILP address has no more (RFC 15). */
const PREFIX_LENGTH_MAX = 1_023

/** A route: addresses at or below `prefix` go to `target`. */
export interface Route<T> {
  /** Whole segments, e.g. `g.alice`; the empty string is the default route. */
  readonly prefix: string
  readonly target: T
  /** Who set it, e.g. `config`. For people; it decides nothing. */
  readonly source: string
}

/**
 * Where addresses go: the longest prefix of whole segments wins (RFC 27, RFC 15). A lookup probes only the depths
 * at which routes exist, so an address of hundreds of segments costs no more than a plain one.
 */
export class RouteTable<T> {
  readonly #routes = new Map<string, Route<T>>()
  /** Routes per number of segments. Index 0: the default route. */
  readonly #countAtDepth: number[] = [0]
  /** Depths above zero that hold routes, deepest first. */
  #depths: number[] = []
  #version = 0

  /** Grows with every change; what was looked up at another version is out of date. */
  get version(): number {
    return this.#version
  }

  get size(): number {
    return this.#routes.size
  }

  /** Most segments of any prefix: segments of an address beyond it do not influence a lookup. */
  get depthMax(): number {
    return this.#depths[0] ?? 0
  }

  /** Adds the route, or replaces the one with the same prefix. The prefix was checked when it entered the node. */
  set(prefix: string, target: T, source: string): void {
    const depth = depthOf(prefix)
    if (!this.#routes.has(prefix)) this.#count(depth, 1)
    this.#routes.set(prefix, { prefix, target, source })
    this.#version++
  }

  /** Removes the route with exactly this prefix; false when there is none. */
  delete(prefix: string): boolean {
    if (!this.#routes.delete(prefix)) return false
    this.#count(depthOf(prefix), -1)
    this.#version++
    return true
  }

  /** The route with exactly this prefix. */
  get(prefix: string): Route<T> | undefined {
    return this.#routes.get(prefix)
  }

  /** The route that an address takes; undefined when there is none, not even a default route. */
  lookup(address: string): Route<T> | undefined {
    const ends = segmentEnds(address, this.depthMax)
    for (const depth of this.#depths) {
      const end = ends[depth - 1]
      if (end === undefined) continue
      const route = this.#routes.get(end === address.length ? address : address.slice(0, end))
      if (route !== undefined) return route
    }
    return this.#routes.get('')
  }

  /** All routes, in the order in which their prefixes were first set. */
  list(): Route<T>[] {
    return [...this.#routes.values()]
  }

  #count(depth: number, change: 1 | -1): void {
    const count = (this.#countAtDepth[depth] ?? 0) + change
    assert(count >= 0, 'more routes removed than were set')
    this.#countAtDepth[depth] = count
    const isNew = count === 1 && change === 1
    if (depth === 0 || !(isNew || count === 0)) return
    this.#depths = isNew
      ? [...this.#depths, depth].sort((a, b) => b - a)
      : this.#depths.filter((other) => other !== depth)
  }
}

/** Where the first `depthMax` segments end, exclusive. */
function segmentEnds(address: string, depthMax: number): number[] {
  const ends: number[] = []
  let from = 0
  while (ends.length < depthMax) {
    const dot = address.indexOf('.', from)
    if (dot === -1) {
      ends.push(address.length)
      break
    }
    ends.push(dot)
    from = dot + 1
  }
  return ends
}

function depthOf(prefix: string): number {
  if (prefix === '') return 0
  assert(prefix.length <= PREFIX_LENGTH_MAX, 'a route prefix is at most 1023 characters long')
  const segments = prefix.split('.')
  assert(!segments.includes(''), 'a route prefix consists of whole, non-empty segments')
  return segments.length
}
