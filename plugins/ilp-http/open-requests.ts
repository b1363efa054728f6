import type { ServerResponse } from 'node:http'

/** Request-Ids remembered per peer until their packets expire: 4,000 packets per second of 30 seconds each. */
const REQUEST_IDS_MAX = 131_072
/** A handle is a serial number times this, plus the place of its request; no peer has more open requests. */
const PLACES_MAX = 65_536
/** Serial numbers start again here, so that handles stay safe integers. */
const SERIALS = 2 ** 37

/** Where the reply to one request of a peer goes. */
export interface OpenRequest {
  /** The response to write it to; undefined when the reply goes to a callback. */
  response: ServerResponse | undefined
  contentType: string
  callbackUrl: string | undefined
  requestId: string | undefined
  /** When it is given up even if the node never answers. Milliseconds since the epoch. */
  forgetAtMs: number
}

let lastSerial = 0

/**
 * The requests of one peer that await a reply, by handle; and the Request-Ids it has used lately. Requests have places
 * in an array that are used again: a Map that gains and loses an entry per packet leaves chains of dead tables, which
 * cost more to collect than all the rest of a request.
 */
export class OpenRequests {
  readonly #max: number
  readonly #places: (OpenRequest | undefined)[] = []
  readonly #handles: number[] = []
  readonly #free: number[] = []
  readonly #requestIds = new Map<string, number>()

  /** @param max up to 65,536 */
  constructor(max: number) {
    this.#max = Math.min(max, PLACES_MAX)
  }

  get size(): number {
    return this.#places.length - this.#free.length
  }

  get full(): boolean {
    return this.size >= this.#max || this.#requestIds.size >= REQUEST_IDS_MAX
  }

  /** Whether the peer has used this Request-Id for a packet that has not expired. */
  isRepeated(requestId: string): boolean {
    return this.#requestIds.has(requestId)
  }

  /** Handles are unique in the process, so that a link that replaces another never meets the handles of the former. */
  add(request: OpenRequest): number {
    const place = this.#free.pop() ?? this.#places.length
    lastSerial = (lastSerial + 1) % SERIALS
    const handle = lastSerial * PLACES_MAX + place
    this.#places[place] = request
    this.#handles[place] = handle
    return handle
  }

  rememberRequestId(requestId: string, untilMs: number): void {
    this.#requestIds.set(requestId, untilMs)
  }

  take(handle: number): OpenRequest | undefined {
    const place = handle % PLACES_MAX
    return this.#handles[place] === handle ? this.#takePlace(place) : undefined
  }

  /** Takes out all requests that are overdue. */
  takeOverdue(nowMs: number): OpenRequest[] {
    const overdue: OpenRequest[] = []
    for (const [place, request] of this.#places.entries()) {
      if (request === undefined || nowMs < request.forgetAtMs) continue
      this.#takePlace(place)
      overdue.push(request)
    }
    for (const [requestId, untilMs] of this.#requestIds)
      if (nowMs >= untilMs) this.#requestIds.delete(requestId)
    return overdue
  }

  takeAll(): OpenRequest[] {
    this.#requestIds.clear()
    return this.takeOverdue(Infinity)
  }

  #takePlace(place: number): OpenRequest | undefined {
    const request = this.#places[place]
    if (request === undefined) return undefined
    this.#places[place] = undefined
    this.#handles[place] = -1
    this.#free.push(place)
    return request
  }
}
