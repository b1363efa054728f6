const FIRST_MS = 1_000
const MAX_MS = 5 * 60_000

/** When accounts whose peers did not answer are tried again: later each time. */
export class BackOffs {
  readonly #states = new Map<string, { failures: number; dueMs: number }>()

  isDue(id: string, nowMs: number): boolean {
    return nowMs >= (this.#states.get(id)?.dueMs ?? 0)
  }

  failed(id: string, nowMs: number): void {
    const failures = (this.#states.get(id)?.failures ?? 0) + 1
    this.#states.set(id, { failures, dueMs: nowMs + Math.min(FIRST_MS * 2 ** (failures - 1), MAX_MS) })
  }

  succeeded(id: string): void {
    this.#states.delete(id)
  }
}
