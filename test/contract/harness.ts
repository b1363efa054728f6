import { randomBytes } from 'node:crypto'
import { AdminServer, type AdminServerOptions } from '../../src/admin/admin-server.ts'
import { mintToken } from '../../src/admin/operator-token.ts'
import { SCOPES, type Scope } from '../../src/admin/scopes.ts'
import type { NodeStats } from '../../src/forwarding/node-stats.ts'
import { createNodeStats } from '../../src/forwarding/stats.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/logger.ts'
import { HealthProber } from '../../src/observability/health-prober.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { Metrics, type MetricsSources } from '../../src/observability/metrics.ts'
import { SlaWindow } from '../../src/observability/sla-window.ts'
import { RequestKeys } from '../../src/store/request-keys.ts'
import { Store } from '../../src/store/store.ts'
import { collectLines } from './collect-lines.ts'
import { type FakeServices, fakeServices } from './fake-services.ts'

export const START_MS = Date.parse('2026-01-23T09:30:00.000Z')
export const ALL_SCOPES = Object.keys(SCOPES) as Scope[]

export interface Harness {
  url: string
  key: Uint8Array
  clock: Clock & { nowMs: number }
  services: FakeServices
  server: AdminServer
  prober: HealthProber
  metrics: Metrics
  keys: RequestKeys
  stats: NodeStats
  ledger: { available: boolean; latencyMs: number | undefined; probe: () => Promise<void> }
  peers: { connected: number; total: number }
  sources: MetricsSources
  /** Lines of the log. */
  lines: () => string[]
  token: (scopes?: readonly Scope[], ttlSeconds?: number) => Promise<string>
  /** Sends with a token of every scope unless `headers` say otherwise. */
  call: (
    method: string,
    path: string,
    init?: { body?: unknown; headers?: Record<string, string> },
  ) => Promise<Response>
  stop: () => Promise<void>
}

/** An operator server on a free port, over a node of fakes. */
export async function startHarness(options: Partial<AdminServerOptions> = {}): Promise<Harness> {
  const clock = { nowMs: START_MS, now: () => clock.nowMs }
  const log = collectLines()
  const logger: Logger = createLogger({ level: 'debug', format: 'json', nodeId: 'connector-1' }, log.stream)
  const stats = createNodeStats()
  const services = fakeServices()
  const ledger = { available: true, latencyMs: 2 as number | undefined, probe: async () => undefined }
  const peers = { connected: 3, total: 3 }
  const sources: MetricsSources = {
    stats,
    ledger,
    accounts: () => [
      { id: 'peer-1', assetCode: 'USDC', balance: 500_000_000, creditLimit: 1_000 },
      { id: 'peer-2', assetCode: 'USDC', balance: -(2n ** 63n), creditLimit: 2n ** 64n - 1n },
    ],
    traffic: () => [{ accountId: 'peer-1', assetCode: 'USDC', credited: 7n, debited: 9n }],
    peers: () => [{ id: 'peer-1', connected: true, packetsInFlight: 5 }],
    rates: () => ({ stale: false, updatedAtMs: START_MS - 1_000 }),
    ready: () => prober.ready(),
  }
  const metrics = new Metrics({ version: '1.2.0', nodeId: 'connector-1' }, { sources, clock, logger })
  const sla = new SlaWindow({ stats, settlements: metrics.settlement.counts, clock })
  const prober = new HealthProber(
    { nodeId: 'connector-1', version: '1.2.0' },
    { ledger, peers: () => peers, sla, clock, logger },
  )
  const store = new Store(':memory:')
  store.start()
  const keys = new RequestKeys(store)
  const key = randomBytes(32)
  const server = new AdminServer(
    { host: '127.0.0.1', port: 0, keys: [key], trustProxy: false, version: '1.2.0', ...options },
    { services, prober, metrics, keys, clock, logger },
  )
  await server.start()
  const url = `http://127.0.0.1:${server.address().port}`
  const token = (scopes: readonly Scope[] = ALL_SCOPES, ttlSeconds = 3_600) =>
    mintToken({ keys: [key], subject: 'operator', scopes, ttlSeconds, clock })
  return {
    ...{ url, key, clock, services, server, prober, metrics, keys, stats, ledger, peers, sources, token },
    lines: log.lines,
    call: async (method, path, init = {}) => {
      const headers: Record<string, string> = { Authorization: `Bearer ${await token()}` }
      if (init.body !== undefined) headers['Content-Type'] = 'application/json'
      const body = init.body === undefined ? {} : { body: JSON.stringify(init.body) }
      return await fetch(`${url}${path}`, { method, headers: { ...headers, ...init.headers }, ...body })
    },
    stop: async () => {
      prober.stop()
      await server.stop()
      store.stop()
    },
  }
}
