import { type PeerService, type PeerView, ServiceError } from '../admin/services.ts'
import { type PeerConfig, peerSchema } from '../config/schema.ts'
import { schemaProblems } from '../config/schema-problems.ts'
import type { NodeAddress } from '../forwarding/node-address.ts'
import { LinkConfigError } from '../peers/link.ts'
import type { Peer, PeerRegistry, PeerSettings } from '../peers/peer-registry.ts'
import type { PeerStore } from '../store/peer-store.ts'
import { peerView } from './peer-view.ts'
import type { Sequence } from './sequence.ts'

export interface PeerServiceDeps {
  registry: PeerRegistry
  store: PeerStore
  address: NodeAddress
  /** Plugins that peers may be given at run time. */
  pluginNames: ReadonlySet<string>
  /** Shared with whatever else changes peers: the reload of the configuration. */
  changes: Sequence
}

/** Fields that make an account what it is: for others, remove the peer and add another. */
const FIXED_FIELDS = ['id', 'relation', 'asset', 'addressSegment'] as const

/** Peers at run time. A change is stored before it is answered, and undone when it cannot be applied. */
export class Peers implements PeerService {
  readonly #deps: PeerServiceDeps

  constructor(deps: PeerServiceDeps) {
    this.#deps = deps
  }

  list(): PeerView[] {
    return this.#deps.registry.list().map((peer) => peerView(peer, this.#deps.address))
  }

  get(id: string): PeerView | undefined {
    const peer = this.#deps.registry.get(id)
    return peer === undefined ? undefined : peerView(peer, this.#deps.address)
  }

  add(settings: Record<string, unknown>): Promise<PeerView> {
    return this.#deps.changes.run(async () => {
      const peer = parsePeer(settings)
      const { registry, store } = this.#deps
      if (registry.get(peer.id) !== undefined) {
        throw new ServiceError(
          'CONFLICT',
          `there is already a peer "${peer.id}": change it, or choose another id`,
        )
      }
      this.#checkParent(peer)
      this.#checkLink(peer)
      const sealed = { ...peer, link: store.seal(peer.id, peer.link) }
      const added = await refusing(() => registry.add(sealed, 'admin'))
      store.putPeer(sealed)
      return peerView(added, this.#deps.address)
    })
  }

  change(id: string, changes: Record<string, unknown>): Promise<PeerView> {
    return this.#deps.changes.run(async () => {
      const peer = this.#existing(id)
      const { store, registry } = this.#deps
      const before = peer.settings
      const merged = parsePeer(merge(before, changes))
      for (const field of FIXED_FIELDS) {
        if (JSON.stringify(merged[field]) !== JSON.stringify(before[field])) {
          const message = `${field} of a peer cannot be changed: remove the peer and add another`
          throw new ServiceError('VALIDATION_ERROR', message, [{ field, message }])
        }
      }
      if (changes.link !== undefined) this.#checkLink(merged)
      const sealed = { ...merged, link: store.seal(id, merged.link) }
      const { source } = peer
      try {
        await refusing(() => registry.change(peer, sealed, source))
      } catch (error) {
        await registry.change(peer, before, source)
        throw error
      }
      store.putPeer(sealed)
      return peerView(peer, this.#deps.address)
    })
  }

  remove(id: string): Promise<void> {
    return this.#deps.changes.run(async () => {
      const peer = this.#existing(id)
      if (peer.source === 'config') {
        const message = `peer "${id}" is in the configuration file: remove it there and reload`
        throw new ServiceError('CONFLICT', message)
      }
      this.#deps.store.removePeer(id)
      await this.#deps.registry.remove(id)
    })
  }

  #existing(id: string): Peer {
    const peer = this.#deps.registry.get(id)
    if (peer === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `there is no peer "${id}"`)
    if (peer.source === 'local') {
      throw new ServiceError(
        'CONFLICT',
        `"${id}" is an account of this node itself: change it in the configuration`,
      )
    }
    return peer
  }

  /** Who may set peers may neither run code nor read files and environment of this machine through them. */
  #checkLink(peer: PeerConfig): void {
    const { plugin } = peer.link
    if (!this.#deps.pluginNames.has(plugin)) {
      const message = `plugin "${plugin}" is not enabled: name it under "plugins" in the configuration file first`
      throw new ServiceError('VALIDATION_ERROR', message, [{ field: 'link.plugin', message }])
    }
    if (!/"(file|env):/.test(JSON.stringify(peer.link))) return
    const message = 'secrets of files and of the environment can be named in the configuration file only'
    throw new ServiceError('VALIDATION_ERROR', message, [{ field: 'link', message }])
  }

  #checkParent(peer: PeerConfig): void {
    if (peer.relation !== 'parent') return
    const parent = this.#deps.registry.list().find((other) => other.account.relation === 'parent')
    if (parent === undefined) return
    throw new ServiceError('CONFLICT', `a node has one parent, and "${parent.account.id}" is it`)
  }
}

function parsePeer(settings: Record<string, unknown>): PeerConfig {
  const parsed = peerSchema.safeParse(settings)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((issue) => ({ ...issue, path: ['peers', 0, ...issue.path] }))
  const details = schemaProblems(issues, { peers: [settings] }).map((problem) => ({
    field: problem.path.replace('peers[0].', ''),
    message: problem.fix === undefined ? problem.message : `${problem.message}. ${problem.fix}`,
  }))
  throw new ServiceError('VALIDATION_ERROR', 'the settings of the peer are not valid', details)
}

/** Limits are merged field by field, everything else is replaced; null takes an optional field out. */
function merge(before: PeerSettings, changes: Record<string, unknown>): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...before, ...changes }
  const { limits } = changes
  if (typeof limits === 'object' && limits !== null)
    merged.limits = withoutNulls({ ...before.limits, ...limits })
  return withoutNulls(merged)
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).filter(([, entry]) => entry !== null && entry !== undefined),
  )
}

async function refusing<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    // By name as well: a plugin from elsewhere throws its own copy of the class.
    if (error instanceof LinkConfigError || (error instanceof Error && error.name === 'LinkConfigError')) {
      const { path = '' } = error as { path?: string }
      const details = [{ field: `link.${path}`, message: error.message }]
      throw new ServiceError('VALIDATION_ERROR', error.message, details)
    }
    throw new ServiceError('VALIDATION_ERROR', error instanceof Error ? error.message : String(error))
  }
}
