import assert from 'node:assert'
import type { Route } from './route.ts'
import { accountRoutes } from './routes/account-routes.ts'
import { channelRoutes } from './routes/channel-routes.ts'
import { configRoutes } from './routes/config-routes.ts'
import { healthRoutes } from './routes/health-routes.ts'
import { nodeRoutes } from './routes/node-routes.ts'
import { paymentRoutes } from './routes/payment-routes.ts'
import { peerRoutes } from './routes/peer-routes.ts'
import { rateRoutes } from './routes/rate-routes.ts'
import { routingRoutes } from './routes/routing-routes.ts'
import { settlementRoutes } from './routes/settlement-routes.ts'

/** Everything the operator's server answers. */
export const ROUTES: readonly Route[] = [
  ...healthRoutes,
  ...nodeRoutes,
  ...peerRoutes,
  ...routingRoutes,
  ...rateRoutes,
  ...accountRoutes,
  ...paymentRoutes,
  ...settlementRoutes,
  ...channelRoutes,
  ...configRoutes,
]

/**
 * Checks what must hold for every set of routes: each one once, and nothing below `/api` without a scope.
 * @throws AssertionError
 */
export function checkRoutes(routes: readonly Route[]): void {
  const seen = new Set<string>()
  for (const route of routes) {
    const name = `${route.method} ${route.path}`
    assert(!seen.has(name), `route ${name} is declared twice`)
    seen.add(name)
    const isApi = route.path.startsWith('/api/')
    assert(
      isApi === (route.scope !== 'public'),
      `route ${name}: scopes are for paths below /api, and only there`,
    )
    assert(route.kind === 'page' || isApi, `route ${name}: operations live below /api`)
    assert(!isApi || route.rateLimit !== 'none', `route ${name} needs a rate limit`)
  }
}
