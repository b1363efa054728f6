import type { Config } from '../config/schema.ts'
import type { NodeLogger } from '../observability/logger.ts'
import type { PeerRegistry } from '../peers/peer-registry.ts'
import type { RouteBook } from '../peers/route-book.ts'
import type { PeerStore } from '../store/peer-store.ts'

export interface ReloadDeps {
  registry: PeerRegistry
  routes: RouteBook
  store: PeerStore
  logger: NodeLogger
}

/** Sections that only a restart takes over. */
const FIXED_SECTIONS = [
  'node',
  'plugins',
  'rates',
  'ledger',
  'settlement',
  'accounts',
  'spsp',
  'admin',
] as const

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/**
 * Takes over what a new configuration changes and can be changed while packets flow: peers, routes and the log
 * level. What was set through the admin API stays.
 */
export async function applyConfiguration(
  before: Config,
  after: Config,
  deps: ReloadDeps,
): Promise<{ applied: string[]; needsRestart: string[] }> {
  const applied: string[] = []
  const needsRestart: string[] = FIXED_SECTIONS.filter((section) => !isSame(before[section], after[section]))
  if (before.logging.level !== after.logging.level) {
    deps.logger.setLevel(after.logging.level)
    applied.push('logging.level')
  }
  if (before.logging.format !== after.logging.format) needsRestart.push('logging.format')
  await applyPeers(before, after, deps, { applied, needsRestart })
  applyRoutes(before, after, deps, applied)
  return { applied, needsRestart }
}

async function applyPeers(
  before: Config,
  after: Config,
  deps: ReloadDeps,
  report: { applied: string[]; needsRestart: string[] },
): Promise<void> {
  const { registry, store } = deps
  const changedByOperator = new Set(store.peers().map((peer) => peer.id))
  const old = new Map(before.peers.map((peer) => [peer.id, peer]))
  const wanted = new Set(after.peers.map((peer) => peer.id))
  for (const [id, peer] of old) {
    if (wanted.has(id) || registry.get(id)?.source !== 'config') continue
    await registry.remove(peer.id)
    report.applied.push(`peers.${id} removed`)
  }
  for (const peer of after.peers) {
    const known = registry.get(peer.id)
    if (isSame(old.get(peer.id), peer) || changedByOperator.has(peer.id)) continue
    if (known === undefined) {
      await registry.add(peer, 'config')
      report.applied.push(`peers.${peer.id} added`)
    } else if (isSame(identity(known.settings), identity(peer))) {
      await registry.change(known, peer, 'config')
      report.applied.push(`peers.${peer.id}`)
    } else {
      report.needsRestart.push(`peers.${peer.id}`)
    }
  }
}

function identity(peer: { relation: string; asset: object; addressSegment?: string | undefined }): unknown[] {
  return [peer.relation, peer.asset, peer.addressSegment]
}

function applyRoutes(before: Config, after: Config, deps: ReloadDeps, applied: string[]): void {
  if (isSame(before.routes, after.routes)) return
  const kept = new Set(after.routes.map((route) => route.prefix))
  for (const { prefix } of before.routes) if (!kept.has(prefix)) deps.routes.remove(prefix)
  for (const { prefix, peer } of after.routes) {
    const target = deps.registry.get(peer)
    if (target !== undefined) deps.routes.put(prefix, target.account, 'config')
  }
  applied.push('routes')
}
