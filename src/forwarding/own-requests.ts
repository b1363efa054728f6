import type { Link } from '../peers/link.ts'
import { SendOutcome } from '../peers/link.ts'

/** Requests of this node that may be open at once: ILDCP and pings, a handful at a time. */
const OPEN_MAX = 1_000

/** The link of the account that stands for this node: it only receives the replies to the node's own requests. */
export class OwnRequests implements Link {
  readonly #open = new Map<number, (reply: Buffer) => void>()
  #nextHandle = 0

  /**
   * `send` puts the request under way with the handle given; resolves with the Fulfill or Reject. The node keeps the
   * request's expiry, so a reply always comes.
   */
  request(send: (handle: number) => void): Promise<Buffer> {
    if (this.#open.size >= OPEN_MAX) {
      return Promise.reject(new Error(`more than ${OPEN_MAX} requests of this node are open`))
    }
    const handle = this.#nextHandle++
    return new Promise((resolve, reject) => {
      this.#open.set(handle, resolve)
      try {
        send(handle)
      } catch (error) {
        this.#open.delete(handle)
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  get connected(): boolean {
    return true
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  /** Nothing is routed to it. */
  sendPrepare(): SendOutcome {
    return SendOutcome.unreachable
  }

  sendReply(handle: number, packet: Buffer, start: number, end: number): void {
    const resolve = this.#open.get(handle)
    this.#open.delete(handle)
    resolve?.(Buffer.from(packet.subarray(start, end)))
  }

  status(): { connected: boolean } {
    return { connected: true }
  }
}
