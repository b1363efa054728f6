import type { AccountBalance, HistoryEntry, HistoryQuery, SelfCheck } from '../ledger/ledger.ts'
import type { LinkStatus } from '../peers/link.ts'
import type { RateStatus } from '../rates/rate-provider.ts'

/**
 * What the operator's server, and through it the CLI, may ask of the node. Implemented in the composition root.
 * Expected refusals are thrown as {@link ServiceError}.
 */
export interface NodeServices {
  node: NodeService
  peers: PeerService
  routes: RouteService
  rates: RateService
  accounts: AccountService
  payments: PaymentService
  logs: LogService
  config: ConfigService
}

/** A refusal that the caller can act on. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code:
    | 'VALIDATION_ERROR'
    | 'RESOURCE_NOT_FOUND'
    | 'CONFLICT'
    | 'SERVICE_UNAVAILABLE'
    | 'NOT_SUPPORTED'
  readonly details: { field: string; message: string }[]
  constructor(code: ServiceError['code'], message: string, details: ServiceError['details'] = []) {
    super(message)
    this.code = code
    this.details = details
  }
}

export interface NodeService {
  info(): NodeInfo
}

export interface NodeInfo {
  nodeId: string
  version: string
  /** Undefined while a parent has not told us yet. */
  ilpAddress: string | undefined
  startedAtMs: number
  state: 'starting' | 'running' | 'draining'
  ledger: { backend: string; mode: string; relay: string; available: boolean; latencyMs: number | undefined }
  listening: string[]
  packetsInFlight: number
}

export interface PeerService {
  list(): PeerView[]
  get(id: string): PeerView | undefined
  /** Adds a peer at run time and persists it. `settings` has the shape of an entry of `peers` in the configuration. */
  add(settings: Record<string, unknown>): Promise<PeerView>
  /** Changes the fields given; limits and spread take effect on the next packet, a changed link reconnects. */
  change(id: string, changes: Record<string, unknown>): Promise<PeerView>
  /** Disconnects and removes; its ledger account and history stay. Peers of the configuration file cannot be removed. */
  remove(id: string): Promise<void>
}

export interface PeerView {
  id: string
  relation: 'parent' | 'peer' | 'child' | 'local'
  /** Where it is defined. */
  source: 'config' | 'admin'
  assetCode: string
  assetScale: number
  plugin: string
  /** Our address for it, when it is a child; its own prefixes otherwise. */
  ilpAddress: string | undefined
  link: LinkStatus
  /** Decimal strings, smallest units. */
  balance: string
  reserved: string
  creditLimit: string
  payableLimit: string | undefined
  packetsInFlight: number
  /** The peer's effective settings, secrets redacted. */
  settings: Record<string, unknown>
}

export interface RouteService {
  list(): RouteView[]
  /** Adds or replaces a static route and persists it. */
  put(prefix: string, peerId: string): Promise<RouteView>
  remove(prefix: string): Promise<void>
  /** Which route an address takes. */
  resolve(address: string): RouteView | undefined
}

export interface RouteView {
  /** Empty string: the default route. */
  prefix: string
  peerId: string
  source: 'config' | 'admin' | 'child' | 'default' | 'local'
}

export interface RateService {
  status(): RateStatus
  /** Whole units of `to` per whole unit of `from`, decimal string of up to 30 digits, rounded down. */
  quote(from: string, to: string): string | undefined
}

export interface AccountService {
  balances(): Promise<AccountBalance[]>
  history(query: HistoryQuery): Promise<HistoryEntry[]>
  selfCheck(): Promise<SelfCheck>
  /** Accounts that have a clearing account. */
  has(accountId: string): boolean
}

/** Payments over STREAM from and to local accounts. */
export interface PaymentService {
  /** Accounts one can pay from and receive to. */
  localAccounts(): LocalAccountView[]
  /** Begins to pay; the reply comes at once, progress through `get`. */
  pay(request: PaymentRequest): Promise<PaymentView>
  get(id: string): PaymentView | undefined
  /** Opens a local account with a payment pointer for tests; it lives until the node stops. */
  receive(request: {
    name: string | undefined
    assetCode: string | undefined
    assetScale: number | undefined
  }): Promise<LocalAccountView>
  /** Round trip to an ILP address through the connector itself. */
  ping(address: string, timeoutMs: number): Promise<PingResult>
}

export interface LocalAccountView {
  id: string
  ilpAddress: string | undefined
  /** Where SPSP answers for it, as URL; and as payment pointer where the node has a public https address. */
  spspUrl: string | undefined
  paymentPointer: string | undefined
  assetCode: string
  assetScale: number
  balance: string
}

export interface PaymentRequest {
  fromAccount: string
  /** Payment pointer (`$host/path`), SPSP URL, or the id of a local account. */
  destination: string
  /** Decimal string, smallest units of the sending account. */
  amount: string
}

export interface PaymentView {
  id: string
  fromAccount: string
  destination: string
  amount: string
  sent: string
  delivered: string
  state: 'running' | 'completed' | 'failed'
  /** Why it failed, or what is known of it. */
  message: string | undefined
  startedAtMs: number
  endedAtMs: number | undefined
  destinationAssetCode: string | undefined
  destinationAssetScale: number | undefined
}

export interface PingResult {
  reached: boolean
  roundTripMs: number
  /** Fulfilled (the address answers pings), or the reject that came back. */
  code: string | undefined
  message: string | undefined
  triggeredBy: string | undefined
}

export interface LogService {
  level(): string
  setLevel(level: string): void
}

export interface ConfigService {
  /** Effective configuration with secrets redacted. */
  view(): Record<string, unknown>
  /** What a reload took over and what needs a restart. */
  reload(): Promise<{ applied: string[]; needsRestart: string[] }>
}
