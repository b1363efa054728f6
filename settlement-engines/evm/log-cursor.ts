import type { Hex } from 'viem'
import type { EngineStore } from './engine-store.ts'
import type { Block, ChainLog } from './rpc-answers.ts'

/** How far a poller has read, and what it has told of the blocks that it will read again. */
export class LogCursor {
  readonly #name: string
  readonly #store: EngineStore

  constructor(options: { name: string }, deps: { store: EngineStore }) {
    this.#name = options.name
    this.#store = deps.store
  }

  load(): { block: number; hash: Hex } | undefined {
    return this.#store.database.prepare('SELECT block, hash FROM cursors WHERE name = ?').get(this.#name) as
      | { block: number; hash: Hex }
      | undefined
  }

  /** @returns whether the log is new */
  markSeen(log: ChainLog): boolean {
    const { changes } = this.#store.database
      .prepare('INSERT OR IGNORE INTO seen_logs VALUES (?, ?, ?, ?, ?)')
      .run(this.#name, log.blockNumber, log.blockHash, log.transactionHash, log.logIndex)
    return Number(changes) === 1
  }

  /** Moves forward only; logs that will not be read again are forgotten. */
  advance(to: Block, overlapBlocks: number): void {
    const { database } = this.#store
    const { changes } = database
      .prepare(
        `INSERT INTO cursors (name, block, hash) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET block = excluded.block, hash = excluded.hash
         WHERE excluded.block >= cursors.block`,
      )
      .run(this.#name, to.number, to.hash)
    if (Number(changes) === 0) return
    database
      .prepare('DELETE FROM seen_logs WHERE cursor = ? AND block <= ?')
      .run(this.#name, to.number - overlapBlocks)
  }
}
