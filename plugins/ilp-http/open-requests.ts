import type { ServerResponse } from 'node:http'

/** Request-Ids remembered per peer until their packets expire: 4,000 packets per second of 30 seconds each. */
const REQUEST_IDS_MAX = 131_072

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

let lastHandle = 0

/** The requests of one peer that await a reply, by handle; and the Request-Ids it has used lately. */
export class OpenRequests {
  readonly #max: number
  readonly #open = new Map<number, OpenRequest>()
  readonly #requestIds = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#open.size
  }

  get full(): boolean {
    return this.#open.size >= this.#max || this.#requestIds.size >= REQUEST_IDS_MAX
  }

  /** Whether the peer has used this Request-Id for a packet that has not expired. */
  isRepeated(requestId: string): boolean {
    return this.#requestIds.has(requestId)
  }

  /** Handles are unique in the process, so that a link that replaces another never meets the handles of the former. */
  add(request: OpenRequest): number {
    lastHandle += 1
    this.#open.set(lastHandle, request)
    return lastHandle
  }

  rememberRequestId(requestId: string, untilMs: number): void {
    this.#requestIds.set(requestId, untilMs)
  }

  take(handle: number): OpenRequest | undefined {
    const request = this.#open.get(handle)
    if (request !== undefined) this.#open.delete(handle)
    return request
  }

  /** Takes out all requests that are overdue. */
  takeOverdue(nowMs: number): OpenRequest[] {
    const overdue: OpenRequest[] = []
    for (const [handle, request] of this.#open) {
      if (nowMs < request.forgetAtMs) continue
      this.#open.delete(handle)
      overdue.push(request)
    }
    for (const [requestId, untilMs] of this.#requestIds)
      if (nowMs >= untilMs) this.#requestIds.delete(requestId)
    return overdue
  }

  takeAll(): OpenRequest[] {
    const all = [...this.#open.values()]
    this.#open.clear()
    this.#requestIds.clear()
    return all
  }
}
