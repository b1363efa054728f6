import { randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { LocalEndpoint } from '../plugins/local/local-endpoint.ts'
import { AdminServer } from './admin/admin-server.ts'
import { type NodeInfo, type NodeServices, ServiceError } from './admin/services.ts'
import { adminKeys } from './config/admin-keys.ts'
import type { LoadedConfiguration } from './config/load.ts'
import { redact } from './config/redact.ts'
import type { RunNode, RunOptions } from './config/run-options.ts'
import type { Account } from './forwarding/account.ts'
import { Forwarder } from './forwarding/forwarder.ts'
import { NodeAddress } from './forwarding/node-address.ts'
import { OwnRequests } from './forwarding/own-requests.ts'
import { createSelfAccount } from './forwarding/self-account.ts'
import { createNodeStats } from './forwarding/stats.ts'
import { createLedger } from './ledger/create-ledger.ts'
import type { Ledger } from './ledger/ledger.ts'
import { systemClock } from './lib/clock.ts'
import { addConfigured } from './node/add-configured.ts'
import { metricsSources } from './node/metrics-sources.ts'
import { NodeSettlement } from './node/node-settlement.ts'
import { HealthProber } from './observability/health-prober.ts'
import { createLogger, type NodeLogger } from './observability/logger.ts'
import { Metrics } from './observability/metrics.ts'
import { SlaWindow } from './observability/sla-window.ts'
import { PaymentManager } from './payments/payment-manager.ts'
import { SpspServer } from './payments/spsp-server.ts'
import { IldcpClient } from './peers/ildcp-client.ts'
import { localSettings, PeerRegistry } from './peers/peer-registry.ts'
import { PluginHost } from './peers/plugin-host.ts'
import { RouteBook } from './peers/route-book.ts'
import { createRateProvider } from './rates/create-rate-provider.ts'
import { RouteCache } from './routing/route-cache.ts'
import { RouteTable } from './routing/route-table.ts'
import { Accounts } from './services/account-service.ts'
import { deriveKey, ensureNodeKey } from './services/node-key.ts'
import { Peers } from './services/peer-service.ts'
import { createPing } from './services/ping.ts'
import { Rates } from './services/rate-service.ts'
import { applyConfiguration } from './services/reload.ts'
import { Routes } from './services/route-service.ts'
import { Sequence } from './services/sequence.ts'
import { stopSignal } from './services/stop-signals.ts'
import { PeerStore } from './store/peer-store.ts'
import { RequestKeys } from './store/request-keys.ts'
import { Store } from './store/store.ts'
import { packageVersion } from './version.ts'

/** A cluster is asked more often: probes also keep balances and limits current that other processes change. */
const probeIntervalMs = (backend: 'sqlite' | 'tigerbeetle') => (backend === 'tigerbeetle' ? 1_000 : 5_000)
/** Packets in flight get this long to finish after SIGTERM; Kubernetes sends SIGKILL after 30 s. */
const DRAIN_MS = 20_000
const DRAIN_POLL_MS = 50

/** Runs a node until a signal tells it to stop. Resolves with the exit code. */
export const runNode: RunNode = async (loaded, options) => {
  const ready = await ensureNodeKey(loaded, options.reload)
  const node = await Node.create(ready, options)
  const stopping = stopSignal()
  const started = node.start()
  // A signal during the start stops the node as soon as it has started.
  try {
    await started
  } catch (error) {
    await node.stop()
    throw error
  }
  const onReload = () => node.reloadBySignal()
  process.on('SIGHUP', onReload)
  options.started(node.startedInfo())
  const signal = await stopping
  process.off('SIGHUP', onReload)
  await node.drain(signal)
  await node.stop()
  return 0
}

/** The parts, in the order in which they depend on each other. */
class Node {
  readonly #options: RunOptions
  #loaded: LoadedConfiguration
  readonly #startedAtMs = systemClock.now()
  #state: NodeInfo['state'] = 'starting'
  readonly #changes = new Sequence()
  readonly #endpoints = new Map<string, LocalEndpoint>()
  readonly #logger
  readonly #store
  readonly #peerStore
  readonly #ledger
  readonly #rates
  readonly #address = new NodeAddress()
  readonly #stats = createNodeStats()
  readonly #table = new RouteTable<Account>()
  readonly #routes
  readonly #forwarder
  readonly #plugins
  readonly #registry: PeerRegistry
  readonly #ildcp
  readonly #metrics: Metrics
  readonly #prober: HealthProber
  readonly #settlement: NodeSettlement
  readonly #payments
  readonly #spsp: SpspServer | undefined
  readonly #admin

  static async create(loaded: LoadedConfiguration, options: RunOptions): Promise<Node> {
    const { config } = loaded
    const logger = createLogger({ ...config.logging, nodeId: config.node.id })
    mkdirSync(config.node.dataDirectory, { recursive: true, mode: 0o700 })
    const ledger = await createLedger(
      {
        ...config.ledger,
        dataDirectory: config.node.dataDirectory,
        nodeId: config.node.id,
        slots: config.node.packetsInFlight,
      },
      { clock: systemClock, logger, onFault: (error) => node.#ledgerFailed(error) },
    )
    const node = new Node(loaded, options, { logger, ledger })
    return node
  }

  private constructor(
    loaded: LoadedConfiguration,
    options: RunOptions,
    { logger, ledger }: { logger: NodeLogger; ledger: Ledger },
  ) {
    this.#loaded = loaded
    this.#options = options
    const { config, secrets } = loaded
    const clock = systemClock
    this.#logger = logger
    this.#ledger = ledger
    this.#store = new Store(join(config.node.dataDirectory, 'node.sqlite'))
    this.#peerStore = new PeerStore(this.#store, deriveKey(loaded, 'store'))
    this.#rates = createRateProvider(config.rates, { clock, logger })
    const requests = new OwnRequests()
    const self = createSelfAccount(config.node.id, requests, clock.now())
    this.#routes = new RouteBook({ table: this.#table, self })
    this.#address.onChange((address) => this.#routes.setOwnAddress(address))
    this.#forwarder = new Forwarder(
      { capacity: config.node.packetsInFlight, relay: config.ledger.relay },
      {
        ledger: this.#ledger,
        routes: new RouteCache(this.#table, randomInt(2 ** 32)),
        rates: this.#rates,
        address: this.#address,
        stats: this.#stats,
        clock,
        logger,
        self,
      },
    )
    this.#plugins = new PluginHost(
      { sections: secrets.resolveAll(config.plugins), baseDirectory: loaded.baseDirectory },
      { clock, logger, random: Math.random },
    )
    const ask = (account: Account, packet: Buffer) =>
      requests.request((handle) => this.#forwarder.sendOwn(account, handle, packet))
    this.#ildcp = new IldcpClient({
      request: ask,
      told: (reply) => this.#address.set(reply.address),
      clock,
      logger,
    })
    this.#metrics = new Metrics(
      { version: packageVersion, nodeId: config.node.id },
      {
        sources: metricsSources({
          stats: this.#stats,
          accounts: () => this.#registry.list().map(({ account }) => account),
          ledger: this.#ledger,
          rates: this.#rates,
          ready: () => this.#prober.ready(),
        }),
        clock,
        logger,
      },
    )
    const sla = new SlaWindow({ stats: this.#stats, settlements: this.#metrics.settlement.counts, clock })
    this.#prober = new HealthProber(
      { nodeId: config.node.id, version: packageVersion, intervalMs: probeIntervalMs(config.ledger.backend) },
      { ledger: this.#ledger, peers: () => this.#peerCounts(), sla, clock, logger },
    )
    this.#settlement = new NodeSettlement(
      { config, secrets, baseDirectory: loaded.baseDirectory },
      {
        store: this.#store,
        ledger: this.#ledger,
        address: this.#address,
        request: async (accountId, packet) => {
          const peer = this.#registry.get(accountId)
          if (peer === undefined) throw new Error(`there is no peer "${accountId}"`)
          return await ask(peer.account, packet)
        },
        metrics: this.#metrics,
        prober: this.#prober,
        clock,
        logger,
        random: Math.random,
      },
    )
    this.#forwarder.settlementMessages.handler = (account, message) =>
      this.#settlement.answer(account, message)
    this.#registry = new PeerRegistry({
      ledger: this.#ledger,
      plugins: this.#plugins,
      forwarder: this.#forwarder,
      routes: this.#routes,
      settlement: this.#settlement,
      clock,
      logger,
      linkOptions: (settings) => this.#linkOptions(settings.id, settings.link),
      connected: (account) => {
        if (account.relation === 'parent' && config.node.ilpAddress === undefined) this.#ildcp.ask(account)
      },
    })
    this.#payments = new PaymentManager(
      { accounts: config.accounts, serverSecret: deriveKey(loaded, 'stream') },
      {
        clock,
        logger,
        endpointOf: (id) => this.#endpoint(id),
        address: () => this.#address.text,
        balance: (id) => BigInt(this.#registry.get(id)?.account.ledger.balance ?? 0),
        openLocalAccount: async (id, asset) => {
          await this.#registry.add(localSettings({ id, asset, creditLimit: '0' }), 'local')
          return this.#endpoint(id)
        },
        spspBaseUrl: () => this.#spspBaseUrl(),
        ping: createPing({ forwarder: this.#forwarder, requests, self, clock }),
      },
    )
    const { listen, publicUrl } = config.spsp
    if (listen !== undefined) {
      this.#spsp = new SpspServer({ ...listen, publicUrl }, { receivers: this.#payments, clock, logger })
    }
    this.#admin = new AdminServer(
      { ...config.admin, keys: adminKeys(loaded), version: packageVersion },
      {
        services: this.#services(),
        prober: this.#prober,
        metrics: this.#metrics,
        keys: new RequestKeys(this.#store),
        clock,
        logger,
      },
    )
  }

  async start(): Promise<void> {
    const { config } = this.#loaded
    await this.#admin.start()
    this.#prober.start()
    this.#store.start()
    await this.#ledger.start()
    await this.#rates.start()
    this.#address.set(config.node.ilpAddress)
    await addConfigured(config, {
      registry: this.#registry,
      routes: this.#routes,
      store: this.#peerStore,
      logger: this.#logger,
    })
    await this.#settlement.start()
    // Only now: whoever connects finds its account and every route.
    await this.#registry.start()
    await this.#plugins.start()
    await this.#payments.start()
    await this.#spsp?.start()
    this.#state = 'running'
    this.#prober.started()
    this.#logger.info('node started', { address: this.#address.text, listening: this.#listening() })
  }

  /** Takes no more packets and lets those in flight finish. */
  async drain(signal: NodeJS.Signals): Promise<void> {
    this.#state = 'draining'
    this.#prober.draining()
    this.#logger.info('node drains', { signal, packetsInFlight: this.#forwarder.used })
    await this.#payments.stop()
    this.#forwarder.drain()
    const deadline = systemClock.now() + DRAIN_MS
    while (this.#forwarder.used > 0 && systemClock.now() < deadline) await delay(DRAIN_POLL_MS)
  }

  /** Stops whatever was started. */
  async stop(): Promise<void> {
    this.#ildcp.stop()
    const stops: [string, () => Promise<void> | undefined | void][] = [
      ['payments', () => this.#payments.stop()],
      ['spsp', () => this.#spsp?.stop()],
      ['settlement', () => this.#settlement.stop()],
      ['peers', () => this.#registry.stop()],
      ['plugins', () => this.#plugins.stop()],
      ['ledger', () => this.#ledger.stop()],
      ['rates', () => this.#rates.stop()],
      ['prober', () => this.#prober.stop()],
      ['admin', () => this.#admin.stop()],
      ['store', () => this.#store.stop()],
    ]
    for (const [part, stop] of stops) {
      try {
        await stop()
      } catch (error) {
        this.#logger.error('a part did not stop in order', { part, error })
      }
    }
    this.#logger.info('node stopped')
  }

  reloadBySignal(): void {
    this.#reload().catch((error: unknown) => this.#logger.error('configuration not reloaded', { error }))
  }

  startedInfo(): Parameters<RunOptions['started']>[0] {
    const { host, port } = this.#admin.address()
    return {
      node: this.#info(),
      adminUrl: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
      localAccounts: this.#payments.localAccounts(),
    }
  }

  #linkOptions(peerId: string, link: Record<string, unknown> & { plugin: string }): Record<string, unknown> {
    const { plugin, ...options } = link
    if (plugin === 'local') return { endpoint: this.#endpoint(peerId) }
    return this.#loaded.secrets.resolveAll(this.#peerStore.unseal(peerId, options))
  }

  #endpoint(accountId: string): LocalEndpoint {
    let endpoint = this.#endpoints.get(accountId)
    if (endpoint === undefined) {
      endpoint = new LocalEndpoint()
      this.#endpoints.set(accountId, endpoint)
    }
    return endpoint
  }

  #ledgerFailed(error: Error): void {
    this.#logger.error('ledger failed for good: no more value is taken until a restart', { error })
    this.#metrics.recordError('ledger_error', 'critical')
    this.#prober.fatal('ledger failed')
  }

  async #reload(): Promise<{ applied: string[]; needsRestart: string[] }> {
    return this.#changes.run(async () => {
      const after = this.#options.reload()
      const before = this.#loaded.config
      // Links that reconnect need the new secrets.
      this.#loaded = { ...this.#loaded, secrets: after.secrets }
      const report = await applyConfiguration(before, after.config, {
        registry: this.#registry,
        routes: this.#routes,
        store: this.#peerStore,
        logger: this.#logger,
      })
      const { peers, routes, logging } = after.config
      this.#loaded = { ...this.#loaded, config: { ...before, peers, routes, logging } }
      this.#logger.info('configuration reloaded', report)
      return report
    })
  }

  #services(): NodeServices {
    const plugins = new Set(Object.keys(this.#loaded.config.plugins))
    const store = this.#peerStore
    const registry = this.#registry
    return {
      node: { info: () => this.#info() },
      peers: new Peers({
        registry,
        store,
        address: this.#address,
        pluginNames: plugins,
        changes: this.#changes,
      }),
      routes: new Routes({ book: this.#routes, table: this.#table, registry, store }),
      rates: new Rates(this.#rates),
      accounts: new Accounts({ ledger: this.#ledger, registry }),
      payments: this.#payments,
      settlements: this.#settlement.service,
      logs: { level: () => this.#logger.level(), setLevel: (level) => this.#logger.setLevel(level) },
      config: {
        view: () => redact(this.#loaded.config),
        reload: async () => {
          try {
            return await this.#reload()
          } catch (error) {
            throw new ServiceError('VALIDATION_ERROR', error instanceof Error ? error.message : String(error))
          }
        },
      },
    }
  }

  #info(): NodeInfo {
    const { node, ledger } = this.#loaded.config
    return {
      nodeId: node.id,
      version: packageVersion,
      ilpAddress: this.#address.text,
      startedAtMs: this.#startedAtMs,
      state: this.#state,
      ledger: {
        backend: ledger.backend,
        mode: ledger.mode,
        relay: ledger.relay,
        available: this.#ledger.available,
        latencyMs: this.#ledger.latencyMs,
      },
      listening: this.#listening(),
      packetsInFlight: this.#stats.packetsInFlight,
    }
  }

  #listening(): string[] {
    const spsp = this.#spspBaseUrl()
    return [...this.#plugins.listening(), ...(spsp === undefined ? [] : [`spsp: ${spsp}`])]
  }

  #spspBaseUrl(): string | undefined {
    const { publicUrl } = this.#loaded.config.spsp
    return publicUrl?.replace(/\/$/, '') ?? this.#spsp?.url
  }

  /** Parents and peers; children come and go as they like. */
  #peerCounts(): { connected: number; total: number } {
    const counted = this.#registry
      .list()
      .filter(({ account }) => account.relation === 'parent' || account.relation === 'peer')
    return { connected: counted.filter(({ account }) => account.connected).length, total: counted.length }
  }
}
