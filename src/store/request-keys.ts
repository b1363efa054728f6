import type { Store } from './store.ts'

/** A request that came with an `Idempotency-Key`. */
export interface KeyedRequest {
  readonly bodyHash: string
  /** Its reply as JSON; undefined while it is under way, and for good when the process ended before there was one. */
  readonly reply: string | undefined
}

/** Keyed requests to the admin API, with the replies they got. What is written is durable when the call returns. */
export class RequestKeys {
  readonly #store: Pick<Store, 'database'>

  constructor(store: Pick<Store, 'database'>) {
    this.#store = store
  }

  get size(): number {
    return this.#prepare('SELECT count(*) AS size FROM request_keys').get()!.size as number
  }

  get(id: string): KeyedRequest | undefined {
    const row = this.#prepare('SELECT body_hash, reply FROM request_keys WHERE id = ?').get(id)
    if (row === undefined) return undefined
    return { bodyHash: row.body_hash as string, reply: (row.reply ?? undefined) as string | undefined }
  }

  /** @throws Error when it cannot be written, or is there already */
  add(id: string, bodyHash: string, createdMs: number): void {
    const insert = 'INSERT INTO request_keys (id, body_hash, created_ms) VALUES (?, ?, ?)'
    this.#prepare(insert).run(id, bodyHash, createdMs)
  }

  answer(id: string, reply: string): void {
    this.#prepare('UPDATE request_keys SET reply = ? WHERE id = ?').run(reply, id)
  }

  remove(id: string): void {
    this.#prepare('DELETE FROM request_keys WHERE id = ?').run(id)
  }

  removeBefore(createdMs: number): void {
    this.#prepare('DELETE FROM request_keys WHERE created_ms < ?').run(createdMs)
  }

  #prepare(sql: string) {
    return this.#store.database.prepare(sql)
  }
}
