import { type PeerConfig, peerSchema } from '../config/schema.ts'
import { Account } from '../forwarding/account.ts'
import type { Forwarder } from '../forwarding/forwarder.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Clock } from '../lib/clock.ts'
import { LogGate } from '../lib/log-gate.ts'
import type { Logger } from '../lib/logger.ts'
import { accountSettings } from './account-settings.ts'
import type { AccountSettlement } from './account-settlement.ts'
import type { LinkReceiver } from './link.ts'
import type { PluginHost } from './plugin-host.ts'
import type { RouteBook } from './route-book.ts'

/** Where a peer's settings come from: the file, the admin API, or this node's own accounts. */
export type PeerSource = 'config' | 'admin' | 'local'

export interface Peer {
  settings: PeerSettings
  source: PeerSource
  account: Account
}

/** Settings of a peer, or of an account of this node itself (`relation: local`). */
export type PeerSettings = Omit<PeerConfig, 'relation'> & { relation: PeerConfig['relation'] | 'local' }

export interface PeerRegistryDeps {
  ledger: Ledger
  plugins: PluginHost
  forwarder: Forwarder
  routes: RouteBook
  settlement: AccountSettlement
  clock: Clock
  logger: Logger
  /** The link section with secrets in the clear, for the plugin alone. */
  linkOptions(settings: PeerSettings): Record<string, unknown>
  /** A link came up; called again after every reconnect. */
  connected(account: Account): void
}

/** The peers of the node: opens their books, links and routes, and takes them down again. */
export class PeerRegistry {
  readonly #deps: PeerRegistryDeps
  readonly #peers = new Map<string, Peer>()
  #running = false

  constructor(deps: PeerRegistryDeps) {
    this.#deps = deps
  }

  list(): Peer[] {
    return [...this.#peers.values()]
  }

  get(id: string): Peer | undefined {
    return this.#peers.get(id)
  }

  /** Starts the links of the peers that are there; those added later start at once. */
  async start(): Promise<void> {
    this.#running = true
    for (const { account } of this.list()) await account.link?.start()
  }

  /** Opens the account and its link, and starts the link once the registry is started. Undoes what it did when it fails. */
  async add(settings: PeerSettings, source: PeerSource): Promise<Peer> {
    if (this.#peers.has(settings.id)) throw new Error(`there is already a peer "${settings.id}"`)
    const { ledger, clock, routes, settlement } = this.#deps
    const books = await ledger.openAccount({
      id: settings.id,
      assetCode: settings.asset.code,
      assetScale: settings.asset.scale,
      creditLimit: BigInt(settings.creditLimit),
      payableLimit: settings.payableLimit === undefined ? undefined : BigInt(settings.payableLimit),
    })
    const account = new Account(
      {
        id: settings.id,
        relation: settings.relation,
        asset: settings.asset,
        addressSegment: addressSegment(settings),
        settings: accountSettings(settings),
      },
      { ledger: books, nowMs: clock.now() },
    )
    const peer: Peer = { settings, source, account }
    this.#peers.set(settings.id, peer)
    try {
      await settlement.put(account, settings.settlement)
      await this.#openLink(peer)
    } catch (error) {
      this.#peers.delete(settings.id)
      await settlement.remove(settings.id)
      throw error
    }
    routes.addAccount(account)
    for (const prefix of settings.routes) routes.put(prefix, account, source === 'admin' ? 'admin' : 'config')
    return peer
  }

  /** Applies new settings of the same account; id, relation, asset and address segment cannot change. */
  async change(peer: Peer, settings: PeerSettings, source: PeerSource): Promise<void> {
    const { ledger, clock, routes, settlement } = this.#deps
    const before = peer.settings
    const account = peer.account
    await settlement.put(account, settings.settlement)
    await ledger.setCreditLimit(account.ledger, BigInt(settings.creditLimit))
    ledger.setPayableLimit(
      account.ledger,
      settings.payableLimit === undefined ? undefined : BigInt(settings.payableLimit),
    )
    account.change(accountSettings(settings), clock.now())
    for (const prefix of before.routes) if (!settings.routes.includes(prefix)) routes.remove(prefix)
    for (const prefix of settings.routes) routes.put(prefix, account, source === 'admin' ? 'admin' : 'config')
    peer.settings = settings
    peer.source = source
    if (JSON.stringify(before.link) === JSON.stringify(settings.link)) return
    await account.link?.stop()
    await this.#openLink(peer)
  }

  /** Disconnects the peer and forgets it; its ledger account and history stay. */
  async remove(id: string): Promise<void> {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    this.#deps.routes.removeAccount(peer.account)
    this.#peers.delete(id)
    try {
      await this.#deps.settlement.remove(id)
    } finally {
      await peer.account.link?.stop()
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.list().map(async (peer) => peer.account.link?.stop()))
  }

  async #openLink(peer: Peer): Promise<void> {
    const { account, settings } = peer
    const receiver = this.#deps.forwarder.receiver(account, this.#events(account))
    account.link = await this.#deps.plugins.openLink(settings.link.plugin, {
      accountId: account.id,
      relation: account.relation,
      assetCode: account.asset.code,
      assetScale: account.asset.scale,
      options: this.#deps.linkOptions(settings),
      receiver,
    })
    if (this.#running) await account.link.start()
  }

  #events(account: Account): Pick<LinkReceiver, 'connected' | 'disconnected' | 'protocolError'> {
    const gate = new LogGate()
    const logger = this.#deps.logger.child({ accountId: account.id })
    return {
      connected: () => {
        logger.info('peer connected')
        this.#deps.connected(account)
      },
      disconnected: (reason) => logger.warn('peer disconnected', { reason }),
      protocolError: (message) => {
        const suppressed = gate.take(this.#deps.clock.now())
        if (suppressed !== undefined) logger.warn('peer broke the protocol', { reason: message, suppressed })
      },
    }
  }
}

/** Children and our own accounts get an address below ours. */
function addressSegment(settings: PeerSettings): string | undefined {
  if (settings.relation !== 'child' && settings.relation !== 'local') return undefined
  return settings.addressSegment ?? settings.id
}

/** Settings of an account of this node itself, with the defaults of a peer. */
export function localSettings(account: {
  id: string
  asset: PeerConfig['asset']
  creditLimit: string
}): PeerSettings {
  const settings = peerSchema.parse({ ...account, relation: 'child', link: { plugin: 'local' } })
  return { ...settings, relation: 'local' }
}
