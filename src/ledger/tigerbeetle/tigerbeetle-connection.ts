import assert from 'node:assert'
import type {
  Account,
  AccountFilter,
  Client,
  CreateAccountResult,
  CreateTransferResult,
  QueryFilter,
  Transfer,
} from 'tigerbeetle-node'
import { createClient, ErrorCodes, RequestError } from 'tigerbeetle-node'
import type { Logger } from '../../lib/logger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { within } from '../within.ts'
import { resolveAddresses } from './resolve-addresses.ts'

/** Events of one request with messages of 1 MiB, and with the 32 KiB of a server started with `--development`. */
const EVENTS_MAX = 8189
const EVENTS_MAX_DEVELOPMENT = 253
/** The longest chain we write: credit shortfall, two legs. A request must hold it. */
const CHAIN_EVENTS_MAX = 4
/** A new client needs some 600 ms for its first answer, however near the cluster. */
const CONNECT_DEADLINE_MIN_MS = 5_000
/** Calls past their deadline that the client still holds; above it new calls fail at once. */
const OVERDUE_MAX = 16

export interface TigerBeetleConnectionOptions {
  clusterId: bigint
  /** `host:port` of each replica, in replica order. */
  addresses: string[]
  /** Deadline of one call, milliseconds. */
  timeoutMs: number
}

/**
 * The client with what it lacks: a deadline on every call (the client itself never gives up), a bound on calls that
 * wait past it, a new client after an eviction, and the request size that this cluster takes. A call that failed
 * with {@link LedgerUnavailableError} may still take effect later.
 */
export class TigerBeetleConnection {
  readonly #options: TigerBeetleConnectionOptions
  readonly #logger: Logger
  #addresses: string[] = []
  #client: Client | undefined
  #eventsMax = EVENTS_MAX
  #overdue = 0

  constructor(options: TigerBeetleConnectionOptions, deps: { logger: Logger }) {
    this.#options = options
    this.#logger = deps.logger
  }

  /** Most events of one request to this cluster. */
  get eventsMax(): number {
    return this.#eventsMax
  }

  async start(): Promise<void> {
    assert(this.#client === undefined, 'a connection is started once')
    const { addresses, timeoutMs } = this.#options
    this.#addresses = await resolveAddresses(addresses, timeoutMs)
    this.#client = this.#newClient()
    try {
      this.#eventsMax = await this.#findEventsMax()
    } catch (error) {
      this.stop()
      throw error
    }
  }

  /** Calls under way fail. Idempotent. */
  stop(): void {
    const client = this.#client
    this.#client = undefined
    client?.destroy()
  }

  async createAccounts(accounts: Account[]): Promise<CreateAccountResult[]> {
    return await this.#call('create accounts', (client) => client.createAccounts(accounts))
  }

  /** At most {@link eventsMax} transfers. */
  async createTransfers(transfers: Transfer[]): Promise<CreateTransferResult[]> {
    return await this.#bounded('create transfers', this.submitTransfers(transfers))
  }

  /**
   * As `createTransfers`, without a deadline: settles when the cluster has answered, however late, or the client
   * is lost. The events are copied before this returns.
   */
  async submitTransfers(transfers: Transfer[]): Promise<CreateTransferResult[]> {
    const results = await this.#submit((client) => client.createTransfers(transfers))
    if (results.length !== transfers.length) {
      throw new LedgerFaultError(`TigerBeetle answered ${results.length} of ${transfers.length} transfers`)
    }
    return results
  }

  /** Any number of ids; ids that do not exist are left out. */
  async lookupAccounts(ids: bigint[]): Promise<Account[]> {
    return await this.#inChunks(ids, (chunk) =>
      this.#call('look up accounts', (client) => client.lookupAccounts(chunk)),
    )
  }

  async lookupTransfers(ids: bigint[]): Promise<Transfer[]> {
    return await this.#inChunks(ids, (chunk) =>
      this.#call('look up transfers', (client) => client.lookupTransfers(chunk)),
    )
  }

  async accountTransfers(
    filter: Pick<AccountFilter, 'account_id' | 'limit'> & Partial<AccountFilter>,
  ): Promise<Transfer[]> {
    const full = { ...EMPTY_FILTER, flags: 3, ...filter }
    return await this.#call('read transfers', (client) => client.getAccountTransfers(full))
  }

  async queryAccounts(
    filter: Pick<QueryFilter, 'ledger' | 'limit'> & Partial<QueryFilter>,
  ): Promise<Account[]> {
    const full = { ...EMPTY_FILTER, flags: 0, ...filter }
    return await this.#call('query accounts', (client) => client.queryAccounts(full))
  }

  /** Asks a thing that costs nothing. */
  async probe(): Promise<void> {
    await this.#call('probe', (client) => client.lookupTransfers([1n]))
  }

  async #inChunks<T>(ids: bigint[], call: (chunk: bigint[]) => Promise<T[]>): Promise<T[]> {
    if (ids.length <= this.#eventsMax) return await call(ids)
    const found: T[] = []
    for (let at = 0; at < ids.length; at += this.#eventsMax) {
      found.push(...(await call(ids.slice(at, at + this.#eventsMax))))
    }
    return found
  }

  /** A request that is too large for a server with small messages is refused before it is sent. */
  async #findEventsMax(): Promise<number> {
    const ids = new Array<bigint>(EVENTS_MAX).fill(1n)
    const client = this.#client!
    const { clusterId } = this.#options
    const what = `cluster ${clusterId} at ${this.#addresses.join(', ')}`
    const fits = client.lookupTransfers(ids).then(
      () => true,
      (error: unknown) => {
        if (codeOf(error) === ErrorCodes.ERR_TOO_MUCH_DATA) return false
        throw this.#translate(client, error)
      },
    )
    const deadlineMs = Math.max(this.#options.timeoutMs, CONNECT_DEADLINE_MIN_MS)
    return (await within(deadlineMs, what, fits)) ? EVENTS_MAX : EVENTS_MAX_DEVELOPMENT
  }

  async #call<T>(what: string, run: (client: Client) => Promise<T>): Promise<T> {
    return await this.#bounded(what, this.#submit(run))
  }

  async #bounded<T>(what: string, work: Promise<T>): Promise<T> {
    let isSettled = false
    let isOverdue = false
    const settled = (): void => {
      isSettled = true
      if (isOverdue) this.#overdue--
    }
    work.then(settled, settled)
    try {
      return await within(this.#options.timeoutMs, what, work)
    } catch (error) {
      if (!isSettled) {
        isOverdue = true
        this.#overdue++
      }
      throw error
    }
  }

  async #submit<T>(run: (client: Client) => Promise<T>): Promise<T> {
    const client = this.#client
    if (client === undefined) throw new LedgerUnavailableError('the connection to TigerBeetle is closed')
    if (this.#overdue >= OVERDUE_MAX) {
      throw new LedgerUnavailableError(`${this.#overdue} calls to TigerBeetle wait past their deadline`)
    }
    try {
      return await run(client)
    } catch (error) {
      throw this.#translate(client, error)
    }
  }

  #translate(client: Client, cause: unknown): Error {
    switch (codeOf(cause)) {
      case ErrorCodes.ERR_CLIENT_EVICTED:
      case ErrorCodes.ERR_CLIENT_CLOSED:
        this.#replace(client)
        return new LedgerUnavailableError('the TigerBeetle session ended: repeat the call', { cause })
      case ErrorCodes.ERR_TOO_MUCH_DATA:
        return this.#shrink(cause)
      case ErrorCodes.ERR_CLIENT_RELEASE_TOO_LOW:
      case ErrorCodes.ERR_CLIENT_RELEASE_TOO_HIGH:
        return new LedgerFaultError(
          `the TigerBeetle cluster does not take this client's release: ${String(cause)}. Upgrade the older side`,
          { cause },
        )
      default:
        return new LedgerFaultError(`TigerBeetle client failed: ${String(cause)}`, { cause })
    }
  }

  /** Messages of this cluster are smaller than we knew: the caller repeats, in smaller requests. */
  #shrink(cause: unknown): Error {
    if (this.#eventsMax <= CHAIN_EVENTS_MAX) {
      return new LedgerFaultError('the TigerBeetle cluster takes only tiny requests', { cause })
    }
    this.#eventsMax = Math.max(CHAIN_EVENTS_MAX, Math.floor(this.#eventsMax / 2))
    return new LedgerUnavailableError(`the request was too large: now at most ${this.#eventsMax} events`, {
      cause,
    })
  }

  /**
   * The cluster keeps 64 sessions and drops the least recently used one. The dropped client is left as it is: to
   * destroy it would abort the process. It keeps the event loop alive, so the process must end by `process.exit`.
   */
  #replace(dropped: Client): void {
    if (this.#client !== dropped) return
    this.#logger.warn('tigerbeetle session was evicted, opening a new one')
    this.#client = this.#newClient()
  }

  #newClient(): Client {
    try {
      return createClient({ cluster_id: this.#options.clusterId, replica_addresses: this.#addresses })
    } catch (cause) {
      throw new LedgerFaultError(
        `no TigerBeetle client for ${this.#addresses.join(', ')}: ${String(cause)}. On Linux it needs io_uring, which some container profiles block`,
        { cause },
      )
    }
  }
}

const EMPTY_FILTER = {
  user_data_128: 0n,
  user_data_64: 0n,
  user_data_32: 0,
  ledger: 0,
  code: 0,
  timestamp_min: 0n,
  timestamp_max: 0n,
}

function codeOf(error: unknown): string | undefined {
  return error instanceof RequestError ? error.code : undefined
}
