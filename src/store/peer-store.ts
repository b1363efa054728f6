import { isSecretName, isSecretReference } from '../config/secret-field.ts'
import { isSealed, seal, unseal } from './sealed.ts'
import type { Store } from './store.ts'

/** A peer as an operator set it at run time; secrets in it are sealed. */
export type StoredPeer = Record<string, unknown> & { id: string }

/** Peers and routes that were set through the admin API. Secrets are stored encrypted under the node's store key. */
export class PeerStore {
  readonly #store: Store
  readonly #key: Buffer

  /** @param key 32 bytes */
  constructor(store: Store, key: Buffer) {
    this.#store = store
    this.#key = key
  }

  peers(): StoredPeer[] {
    const rows = this.#store.database.prepare('SELECT settings FROM peers ORDER BY id').all()
    return rows.map((row) => JSON.parse(row.settings as string) as StoredPeer)
  }

  putPeer(settings: StoredPeer): void {
    const write = this.#store.database.prepare(
      'INSERT INTO peers (id, settings) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET settings = excluded.settings',
    )
    write.run(settings.id, JSON.stringify(settings))
  }

  removePeer(id: string): void {
    this.#store.database.prepare('DELETE FROM peers WHERE id = ?').run(id)
  }

  routes(): { prefix: string; peerId: string }[] {
    const rows = this.#store.database.prepare('SELECT prefix, peer_id FROM routes ORDER BY prefix').all()
    return rows.map((row) => ({ prefix: row.prefix as string, peerId: row.peer_id as string }))
  }

  putRoute(prefix: string, peerId: string): void {
    const write = this.#store.database.prepare(
      'INSERT INTO routes (prefix, peer_id) VALUES (?, ?) ON CONFLICT (prefix) DO UPDATE SET peer_id = excluded.peer_id',
    )
    write.run(prefix, peerId)
  }

  removeRoute(prefix: string): void {
    this.#store.database.prepare('DELETE FROM routes WHERE prefix = ?').run(prefix)
  }

  /** A copy with every secret in the clear encrypted; references and sealed ones stay. */
  seal<T>(peerId: string, section: T): T {
    const change = (value: string, secret: boolean) =>
      secret && !isSecretReference(value) && !isSealed(value) ? seal(this.#key, value, peerId) : value
    return mapStrings(section, change, false) as T
  }

  /** A copy with every sealed secret in the clear, for the plugin alone. */
  unseal<T>(peerId: string, section: T): T {
    const change = (value: string) => (isSealed(value) ? unseal(this.#key, value, peerId) : value)
    return mapStrings(section, change, false) as T
  }
}

function mapStrings(
  value: unknown,
  change: (value: string, secret: boolean) => string,
  secret: boolean,
): unknown {
  if (typeof value === 'string') return change(value, secret)
  if (Array.isArray(value)) return value.map((entry) => mapStrings(entry, change, secret))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, entry]) => [
    key,
    mapStrings(entry, change, secret || isSecretName(key)),
  ])
  return Object.fromEntries(entries)
}
