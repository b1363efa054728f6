import { type MaskableBytes, maskable } from './mask.ts'

/** A piece of memory in which outgoing frames are gathered. */
export interface Page extends MaskableBytes {
  used: number
}

/** Bytes of a page: the largest frame fits, and one write of this size costs the system little more than a small one. */
export const PAGE_LENGTH = 65_536
/** Pages kept for reuse: 16 MiB, the buffer of one slow reader. */
const IDLE_PAGES_MAX = 256

/** Lends pages to connections, so that sending needs no new memory. */
export class PagePool {
  readonly #idle: Page[] = []

  take(): Page {
    return this.#idle.pop() ?? { ...maskable(Buffer.allocUnsafeSlow(PAGE_LENGTH)), used: 0 }
  }

  /** Only for pages whose bytes the system has taken over. */
  give(page: Page): void {
    if (this.#idle.length >= IDLE_PAGES_MAX) return
    page.used = 0
    this.#idle.push(page)
  }
}
