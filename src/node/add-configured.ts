import type { Config } from '../config/schema.ts'
import { peerSchema } from '../config/schema.ts'
import type { Logger } from '../lib/logger.ts'
import { localSettings, type PeerRegistry } from '../peers/peer-registry.ts'
import type { RouteBook } from '../peers/route-book.ts'
import type { PeerStore } from '../store/peer-store.ts'

export interface AddConfiguredDeps {
  registry: PeerRegistry
  routes: RouteBook
  store: PeerStore
  logger: Logger
}

/** Adds peers, local accounts and routes: those of the file, then what operators changed, which wins. */
export async function addConfigured(config: Config, deps: AddConfiguredDeps): Promise<void> {
  await addPeers(config, deps)
  for (const account of config.accounts) await deps.registry.add(localSettings(account), 'local')
  addRoutes(config, deps)
}

async function addPeers(config: Config, { logger, registry, store }: AddConfiguredDeps): Promise<void> {
  const stored = new Map(store.peers().map((peer) => [peer.id, peer]))
  for (const peer of config.peers) {
    const changed = stored.get(peer.id)
    stored.delete(peer.id)
    if (changed !== undefined) {
      logger.info('settings from the admin API win over the file', { accountId: peer.id })
    }
    await registry.add(changed === undefined ? peer : peerSchema.parse(changed), 'config')
  }
  for (const peer of stored.values()) await registry.add(peerSchema.parse(peer), 'admin')
}

function addRoutes(config: Config, { logger, registry, routes, store }: AddConfiguredDeps): void {
  const put = (prefix: string, peerId: string, source: 'config' | 'admin') => {
    const peer = registry.get(peerId)
    if (peer === undefined) logger.warn('route to a peer that is gone', { prefix, peerId })
    else routes.put(prefix, peer.account, source)
  }
  for (const route of config.routes) put(route.prefix, route.peer, 'config')
  for (const route of store.routes()) put(route.prefix, route.peerId, 'admin')
}
