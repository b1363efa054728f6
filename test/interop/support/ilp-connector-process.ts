import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { freePort } from '../../support/free-port.ts'
import { waitFor } from '../../support/wait-for.ts'

const require = createRequire(import.meta.url)
const PROGRAM = require.resolve('ilp-connector')
const STOP_DEADLINE_MS = 3_000
/** How much of its output is kept for messages and assertions. */
const OUTPUT_MAX = 1_000_000
/** Far above what a test sends; the default is 10,000 packets a minute. */
const RATE_LIMIT = { refillPeriod: 1_000, refillCount: 1_000_000, capacity: 1_000_000 }

export interface ConnectorAccount {
  relation: 'parent' | 'peer' | 'child'
  assetCode: string
  assetScale: number
  /** Where it listens, or whom it dials; either way with ilp-plugin-btp. */
  btp: { listen: number; token: string } | { dial: number; token: string }
  maxPacketAmount?: string
}

export interface ConnectorOptions {
  /** Undefined: it asks its parent. */
  ilpAddress?: string
  accounts: Record<string, ConnectorAccount>
  routes?: { targetPrefix: string; peerId: string }[]
}

interface AccountsReply {
  address: string
  accounts: Record<string, { connected: boolean }>
}

/**
 * `ilp-connector` 23 of npm as its own process, on loopback, without spread, one to one between assets. Its admin API
 * is on, because it is the only way to read the balances that it keeps itself.
 */
export class IlpConnectorProcess {
  readonly #env: Record<string, string>
  readonly #adminPort: number
  #child: ChildProcess | undefined
  #exit: Promise<void> | undefined
  #output = ''

  private constructor(env: Record<string, string>, adminPort: number) {
    this.#env = env
    this.#adminPort = adminPort
  }

  static async create(options: ConnectorOptions): Promise<IlpConnectorProcess> {
    const adminPort = await freePort()
    const accounts = Object.fromEntries(
      Object.entries(options.accounts).map(([id, account]) => [id, accountSettings(account)]),
    )
    const env = {
      CONNECTOR_ENV: 'test',
      ...(options.ilpAddress === undefined ? {} : { CONNECTOR_ILP_ADDRESS: options.ilpAddress }),
      CONNECTOR_ACCOUNTS: JSON.stringify(accounts),
      CONNECTOR_ROUTES: JSON.stringify(options.routes ?? []),
      CONNECTOR_BACKEND: 'one-to-one',
      CONNECTOR_SPREAD: '0',
      CONNECTOR_ADMIN_API: 'true',
      CONNECTOR_ADMIN_API_PORT: String(adminPort),
      DEBUG: 'connector:*,-connector:*:trace',
    }
    return new IlpConnectorProcess(env, adminPort)
  }

  get output(): string {
    return this.#output
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Starts the process; it is ready only once all its accounts are connected. */
  launch(): void {
    const child = spawn(process.execPath, [PROGRAM], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#env },
    })
    this.#output = ''
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#child = child
    this.#exit = new Promise((resolve) => child.once('exit', () => resolve()))
  }

  async ready(): Promise<void> {
    const isReady = () => this.#output.includes('connector ready')
    await waitFor('ilp-connector is ready', () => isReady() || !this.running).catch(() => undefined)
    if (!this.running || !isReady()) throw new Error(`ilp-connector is not ready; its log:\n${this.#output}`)
  }

  async address(): Promise<string> {
    return (await this.#get<AccountsReply>('/accounts')).address
  }

  async connected(accountId: string): Promise<boolean> {
    return (await this.#get<AccountsReply>('/accounts')).accounts[accountId]!.connected
  }

  /** Its own books: above zero is what the other side owes it. */
  async balance(accountId: string): Promise<bigint> {
    const reply = await this.#get<{ accounts: Record<string, { balance: string }> }>('/balance')
    return BigInt(reply.accounts[accountId]!.balance)
  }

  async stop(): Promise<void> {
    if (!this.running) return
    this.#child!.kill('SIGINT')
    const force = setTimeout(() => this.#child!.kill('SIGKILL'), STOP_DEADLINE_MS)
    await this.#exit
    clearTimeout(force)
  }

  async #get<T>(path: string): Promise<T> {
    return (await (await fetch(`http://127.0.0.1:${this.#adminPort}${path}`)).json()) as T
  }
}

function accountSettings({ btp, ...account }: ConnectorAccount): Record<string, unknown> {
  const options =
    'listen' in btp
      ? { listener: { secret: btp.token, wsOpts: { host: '127.0.0.1', port: btp.listen } } }
      : { server: `btp+ws://:${btp.token}@127.0.0.1:${btp.dial}`, reconnectInterval: 100 }
  return {
    ...account,
    plugin: 'ilp-plugin-btp',
    options,
    balance: { minimum: '-Infinity', maximum: '1000000000000000000' },
    rateLimit: RATE_LIMIT,
  }
}
