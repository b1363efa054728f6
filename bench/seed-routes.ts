import { PeerStore } from '../src/store/peer-store.ts'
import { Store } from '../src/store/store.ts'

/** Routes in a node's data directory, all of them to one peer: as an operator would have set them at run time. */
export interface SeedRoutesOptions {
  /** The node's application data: `node.sqlite` in its data directory. */
  path: string
  prefixes: Iterable<string>
  peerId: string
}

/** Writes the routes through the code that the admin API stores them with, in one transaction. */
export function seedRoutes({ path, prefixes, peerId }: SeedRoutesOptions): void {
  const store = new Store(path)
  store.start()
  // No secrets are stored, so any key will do.
  const peers = new PeerStore(store, Buffer.alloc(32))
  store.database.exec('BEGIN')
  for (const prefix of prefixes) peers.putRoute(prefix, peerId)
  store.database.exec('COMMIT')
  store.stop()
}
