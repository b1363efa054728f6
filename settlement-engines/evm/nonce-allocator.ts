import assert from 'node:assert'
import type { Hex } from 'viem'
import type { EngineStore } from './engine-store.ts'

/** The key must not be used here: something else signs with it. */
export class KeyInUseError extends Error {
  override readonly name = 'KeyInUseError'
}

/**
 * The next nonce of one key on one chain, kept in the store. It never comes from a node, except once: at the first
 * start with a key. A nonce is taken in the same database transaction that stores what was signed under it, so there
 * are no gaps, whenever the process ends.
 *
 * When the chain shows a nonce that was not given out here, something else signs with the key. The allocator then
 * halts, durably, until an operator has seen to it.
 */
export class NonceAllocator {
  readonly #store: EngineStore
  readonly #place: readonly [number, Hex]

  constructor(options: { chainId: number; address: Hex }, deps: { store: EngineStore }) {
    this.#place = [options.chainId, options.address]
    this.#store = deps.store
  }

  /**
   * Takes the key into use, or up again.
   * @param counts the key's transaction counts in the newest block and with the waiting transactions
   * @throws KeyInUseError when a key that is new here has transactions waiting
   */
  open(counts: { latest: number; pending: number }): void {
    if (this.#row() !== undefined) return
    if (counts.pending > counts.latest) {
      throw new KeyInUseError(
        `${this.#place[1]} has transactions waiting that were not sent from here: another process uses its key. Stop it, or wait until they are mined, or give this node a key of its own`,
      )
    }
    this.#store.database
      .prepare('INSERT INTO nonces (chain_id, address, first, next) VALUES (?, ?, ?, ?)')
      .run(...this.#place, counts.latest, counts.latest)
  }

  /** The first nonce that was given out here. */
  get first(): number {
    return this.#row()?.first ?? 0
  }

  get next(): number {
    const row = this.#row()
    assert(row !== undefined, 'the nonce allocator is open')
    return row.next
  }

  /** Why no nonce is given out, or undefined. */
  get halted(): string | undefined {
    return this.#row()?.halted ?? undefined
  }

  /** Takes the next nonce. Only inside the database transaction that stores the signed bytes. */
  take(nonce: number): void {
    assert(this.#store.database.isTransaction, 'a nonce is taken together with what was signed')
    const { changes } = this.#store.database
      .prepare(
        'UPDATE nonces SET next = next + 1 WHERE chain_id = ? AND address = ? AND next = ? AND halted IS NULL',
      )
      .run(...this.#place, nonce)
    assert(Number(changes) === 1, 'a nonce is given out once')
  }

  /** Gives out no nonce any more, across restarts. The first reason stays. */
  halt(reason: string): void {
    this.#store.database
      .prepare('UPDATE nonces SET halted = coalesce(halted, ?) WHERE chain_id = ? AND address = ?')
      .run(reason, ...this.#place)
  }

  /**
   * Begins anew where nothing was given out yet: a node told a wrong count at the first start.
   * @param latest the key's transaction count in the newest block
   */
  restart(latest: number): void {
    this.#store.database
      .prepare('UPDATE nonces SET first = ?, next = ? WHERE chain_id = ? AND address = ? AND next = first')
      .run(latest, latest, ...this.#place)
  }

  /**
   * An operator has made sure that nothing else uses the key: go on behind all that the chain knows.
   * @param latest the key's transaction count in the newest block
   */
  resume(latest: number): void {
    this.#store.database
      .prepare('UPDATE nonces SET halted = NULL, next = max(next, ?) WHERE chain_id = ? AND address = ?')
      .run(latest, ...this.#place)
  }

  #row(): { first: number; next: number; halted: string | null } | undefined {
    return this.#store.database
      .prepare('SELECT first, next, halted FROM nonces WHERE chain_id = ? AND address = ?')
      .get(...this.#place) as { first: number; next: number; halted: string | null } | undefined
  }
}
