import { type RouteService, type RouteView, ServiceError } from '../admin/services.ts'
import type { Account } from '../forwarding/account.ts'
import { isAddress, isPrefix } from '../ilp/address.ts'
import type { PeerRegistry } from '../peers/peer-registry.ts'
import type { BookedRoute, RouteBook } from '../peers/route-book.ts'
import type { RouteTable } from '../routing/route-table.ts'
import type { PeerStore } from '../store/peer-store.ts'

export interface RouteServiceDeps {
  book: RouteBook
  table: RouteTable<Account>
  registry: PeerRegistry
  store: PeerStore
}

/** Routes as operators see and set them. */
export class Routes implements RouteService {
  readonly #deps: RouteServiceDeps

  constructor(deps: RouteServiceDeps) {
    this.#deps = deps
  }

  list(): RouteView[] {
    return this.#deps.book.list().map(routeView)
  }

  async put(prefix: string, peerId: string): Promise<RouteView> {
    if (prefix !== '' && !isPrefix(prefix))
      throw invalid('prefix', `"${prefix}" is not an ILP address prefix`)
    if (prefix === 'peer' || prefix.startsWith('peer.'))
      throw invalid('prefix', 'peer. addresses are never routed')
    const peer = this.#deps.registry.get(peerId)
    if (peer === undefined) throw invalid('peerId', `there is no peer "${peerId}"`)
    this.#deps.store.putRoute(prefix, peerId)
    this.#deps.book.put(prefix, peer.account, 'admin')
    return { prefix, peerId, source: 'admin' }
  }

  async remove(prefix: string): Promise<void> {
    const route = this.#deps.book.get(prefix)
    if (route === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `there is no route "${prefix}"`)
    if (route.source !== 'admin') {
      const message = `route "${prefix}" comes from ${route.source === 'config' ? 'the configuration file' : `a ${route.source} relation`}: it cannot be removed here`
      throw new ServiceError('CONFLICT', message)
    }
    this.#deps.store.removeRoute(prefix)
    this.#deps.book.remove(prefix)
  }

  resolve(address: string): RouteView | undefined {
    if (!isAddress(address)) throw invalid('address', `"${address}" is not an ILP address`)
    const found = this.#deps.table.lookup(address)
    const route = found === undefined ? undefined : this.#deps.book.get(found.prefix)
    return route === undefined || route.account.relation === 'local' ? localRoute(route) : routeView(route)
  }
}

function localRoute(route: BookedRoute | undefined): RouteView | undefined {
  return route === undefined ? undefined : { ...routeView(route), source: 'local' }
}

function routeView(route: BookedRoute): RouteView {
  return { prefix: route.prefix, peerId: route.account.id, source: route.source }
}

function invalid(field: string, message: string): ServiceError {
  return new ServiceError('VALIDATION_ERROR', message, [{ field, message }])
}
