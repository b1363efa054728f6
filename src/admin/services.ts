import type { AccountBalance, HistoryEntry, HistoryQuery, SelfCheck } from '../ledger/ledger.ts'
import type { LinkStatus } from '../peers/link.ts'
import type { RateStatus } from '../rates/rate-provider.ts'
import { CREDIT_STATES } from '../settlement/credit-state.ts'
import { OUTGOING_STATES } from '../settlement/outgoing-state.ts'

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
  /** Undefined when no settlement engine is configured. */
  settlements: SettlementService | undefined
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

/** Settlement with peers outside ILP. Amounts are decimal strings. */
export interface SettlementService {
  /** Newest first. */
  list(query: SettlementQuery): SettlementView[]
  /** By the id of an outgoing settlement, or of a credit. */
  get(id: string): SettlementView | undefined
  /** Up to 200 of the accounts that settle, in the order in which they were added, and how many there are. */
  accounts(page: { offset: number; limit: number }): { accounts: SettlementAccountView[]; total: number }
  account(accountId: string): SettlementAccountView | undefined
  /**
   * Plans a settlement without waiting for the threshold; resolves when it is stored.
   * @param amount units of the account; undefined: all that is above `settleTo`
   */
  settleNow(accountId: string, amount: string | undefined): Promise<SettlementView[]>
  /** Plans and hands over nothing until `resume`, over restarts too. What an engine has goes on. */
  pause(accountId: string, reason: string): Promise<void>
  resume(accountId: string): Promise<void>
  /**
   * Ends an outgoing settlement by the word of an operator, where its engine never will. Resolves once the engine has
   * stored it; the settlement's state shows the rest.
   */
  abandon(id: string, verdict: SettlementVerdict): Promise<SettlementView>
  /**
   * Goes on although ledger and journal of an engine do not agree, as the ledger has it. For good.
   * @throws ServiceError when the amount is not the difference of this moment: nothing was changed
   */
  acceptDifference(engine: string, acceptance: DifferenceAcceptance): Promise<AcceptedDifferenceView>
  /** Compares ledger, journal and engines now. Changes nothing. */
  reconcile(): Promise<ReconciliationView>
  /** What the last comparison since the start found. */
  lastReconciliation(): ReconciliationView | undefined
  /** Gives a credit in SUSPENSE to an account. `engine` is needed only when two engines have the same credit id. */
  attribute(creditId: string, accountId: string, engine: string | undefined): Promise<SettlementView>
  /** Every engine of the configuration, in its order. */
  engines(): SettlementEngineView[]
  /** Ends an engine's halt: the operator has removed its cause. `trouble` of the view tells whether that was all. */
  resumeEngine(name: string): Promise<SettlementEngineView>
  /** Channels of all engines that run. */
  channels(): PaymentChannelView[]
  channel(channelId: string): PaymentChannelView | undefined
  /** Each resolves once the intent is stored; the channel's state shows the rest. Amounts in units of its token. */
  openChannel(accountId: string, deposit: string): Promise<PaymentChannelView>
  topUpChannel(channelId: string, amount: string): Promise<PaymentChannelView>
  claimChannel(channelId: string): Promise<PaymentChannelView>
  closeChannel(channelId: string): Promise<PaymentChannelView>
}

/** Where a settlement stands, on the way out or in; `docs/settlement.md` has the diagrams. */
export const SETTLEMENT_STATES = [...OUTGOING_STATES, ...CREDIT_STATES] as const
export type SettlementState = (typeof SETTLEMENT_STATES)[number]

export interface SettlementQuery {
  accountId?: string | undefined
  direction?: 'in' | 'out' | undefined
  state?: SettlementState | undefined
  /** `cursor` of the last one of the page before. */
  before?: string | undefined
  /** 1 to 1,000. */
  limit: number
}

export interface SettlementVerdict {
  /** `paid`: the peer has the money. `not-paid`: it does not, and by this settlement never will. */
  outcome: 'paid' | 'not-paid'
  /** How the operator knows. */
  reason: string
  /** The settlement may have been carried out unheard, and the operator has made sure. */
  doubtful: boolean
}

export interface DifferenceAcceptance {
  assetCode: string
  /** Needed only when several scales of the asset differ. */
  assetScale: number | undefined
  /** The difference exactly as it is shown: a whole number, perhaps below 0. */
  amount: string
  reason: string
}

/** A difference that counts from now on as if the journal had it. Units of the asset at `assetScale`, perhaps below 0. */
export interface AcceptedDifferenceView {
  engine: string
  assetCode: string
  assetScale: number
  /** `paid` less `received`. */
  amount: string
  /** How far the ledger was above the journal: in what was paid to peers or is held for it; in what they paid. */
  paid: string
  received: string
  reason: string
  acceptedMs: number
}

export interface SettlementView {
  id: string
  direction: 'in' | 'out'
  /** Undefined for a credit that stands in SUSPENSE. */
  accountId: string | undefined
  engine: string
  assetCode: string
  /** Units of the account; undefined for a credit in SUSPENSE. */
  amount: string | undefined
  assetScale: number | undefined
  /** The same in the network's units. */
  quantity: { amount: string; scale: number }
  state: SettlementState
  /** What made us settle; undefined for credits. */
  cause: 'threshold' | 'interval' | 'operator' | undefined
  /** Who paid, in the network's terms; undefined for our own settlements. */
  sender: string | undefined
  /** Why it was refused, or went to SUSPENSE. */
  reason: string | undefined
  createdMs: number
  updatedMs: number
  cursor: string
}

export interface SettlementAccountView {
  accountId: string
  engine: string
  engineRunning: boolean
  assetCode: string
  assetScale: number
  /** In which the engine counts the asset; undefined while it does not run. */
  engineScale: number | undefined
  threshold: string
  settleTo: string
  intervalMs: number | undefined
  minAmount: string
  maxAmount: string | undefined
  /** By an operator. */
  paused: { reason: string; sinceMs: number } | undefined
  pausedByConfiguration: boolean
  /** Why nothing is planned or handed over for any account of its engine; undefined when it is. */
  shutReason: string | undefined
  /** Settlements that have not ended, and their sum in units of the account. */
  open: number
  openAmount: string
  /** When the oldest of them was planned, milliseconds since the epoch. */
  openSinceMs: number | undefined
  /** Received and too small to be booked yet. */
  remainder: { amount: string; scale: number }
  /** When a failed step is repeated, milliseconds since the epoch. */
  retryAtMs: number | undefined
}

export interface SettlementEngineView {
  /** The method in metrics and journals. */
  name: string
  /** `type` of its section in the configuration. */
  type: string
  running: boolean
  /** When it began to run, or was first tried, while it does not; milliseconds since the epoch. */
  sinceMs: number | undefined
  /** Why the last attempt to start it failed. */
  lastError: string | undefined
  /** Why it moves no money although it runs. */
  trouble: string | undefined
  /** That settle by it. */
  accounts: number
  /** Settlements that have not ended, and when the oldest of them was planned. */
  open: number
  openSinceMs: number | undefined
  /** Credits in SUSPENSE. */
  suspended: number
  /** Channels that are not closed; 0 while it does not run. */
  channels: number
}

export interface ReconciliationView {
  checkedAtMs: number
  /** Accounts of which something is known. */
  accountsChecked: number
  /** What does not agree. */
  discrepancies: DiscrepancyView[]
  /** Accounts whose engine gave no answer: nothing is known of them. */
  unchecked: { accountId: string; reason: string }[]
}

export interface DiscrepancyView {
  /** Undefined: the engine's money as a whole. */
  accountId: string | undefined
  engine: string
  assetCode: string
  assetScale: number
  /** One sentence each. */
  differences: string[]
  /** Their sum, rounded up; 0 for those that are no amount. */
  amount: string
}

/** A payment channel. Amounts in units of its token. */
export interface PaymentChannelView {
  id: string
  engine: string
  accountId: string
  /** Undefined when the account no longer settles. */
  assetCode: string | undefined
  /** `out`: we pay; `in`: we are paid. */
  direction: 'in' | 'out'
  state: 'opening' | 'open' | 'closing' | 'closed' | 'disputed'
  token: string
  tokenScale: number
  /** Put in by the payer, so far. */
  deposit: string
  /** Paid out to the payee on the network, so far. */
  claimed: string
  /** Promised by the payer and not claimed yet. */
  unclaimed: string
  /** When a closing channel can be emptied by its payer; milliseconds since the epoch. */
  expiresAtMs: number | undefined
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
