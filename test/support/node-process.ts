import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { mintToken } from '../../src/admin/operator-token.ts'
import { SCOPES, type Scope } from '../../src/admin/scopes.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './wait-for.ts'

const LAUNCHER = join(import.meta.dirname, '../../bin/causeway.mjs')
const ADMIN_KEY = 'operator-key-of-a-test-node-0123456789abcdef'
/** How much of a node's output is kept for messages and assertions. */
const OUTPUT_MAX = 1_000_000

export interface Balance {
  id: string
  kind: string
  balance: string
  debitsPosted: string
  creditsPosted: string
}

/** A whole node as its own process, with a configuration and data directory of its own. */
export class NodeProcess {
  readonly directory: string
  readonly adminPort: number
  /** Hears all that the process writes, over all its starts. */
  onOutput: (chunk: string) => void = () => undefined
  readonly #config: Record<string, unknown>
  readonly #secrets: Record<string, string>
  #child: ChildProcess | undefined
  #exit: Promise<number | null> | undefined
  #output = ''

  private constructor(
    directory: string,
    adminPort: number,
    config: Record<string, unknown>,
    secrets: Record<string, string>,
  ) {
    this.directory = directory
    this.adminPort = adminPort
    this.#config = config
    this.#secrets = secrets
  }

  /** Writes the configuration; `node` and `admin` sections are filled in. */
  static async create(
    config: Record<string, unknown> & { node?: Record<string, unknown> },
    secrets: Record<string, string>,
  ): Promise<NodeProcess> {
    const adminPort = await freePort()
    const directory = mkdtempSync(join(tmpdir(), 'causeway-test-'))
    const whole = {
      ...config,
      node: {
        id: 'test-node',
        environment: 'test',
        ilpAddress: 'test.node',
        dataDirectory: 'data',
        ...config.node,
      },
      admin: { port: adminPort, keys: ['secret:admin-key'] },
    }
    const node = new NodeProcess(directory, adminPort, whole, { ...secrets, 'admin-key': ADMIN_KEY })
    node.#write()
    return node
  }

  /** Where the node keeps its books and secrets. */
  get dataDirectory(): string {
    return join(this.directory, 'data')
  }

  #write(): void {
    mkdirSync(this.dataDirectory, { recursive: true })
    writeFileSync(
      join(this.directory, 'causeway.yaml'),
      stringify(this.#config, { aliasDuplicateObjects: false }),
    )
    writeFileSync(join(this.directory, 'data', 'secrets.yaml'), stringify(this.#secrets), { mode: 0o600 })
  }

  get output(): string {
    return this.#output
  }

  get pid(): number {
    return this.#child!.pid!
  }

  /** Starts the process; resolves once it is ready to take packets. */
  async start(env: Record<string, string> = {}, deadlineMs?: number): Promise<void> {
    this.launch(env)
    await this.ready(deadlineMs)
  }

  /** Starts the process without waiting. */
  launch(env: Record<string, string> = {}): void {
    const child = spawn(
      process.execPath,
      [LAUNCHER, 'start', '--config', join(this.directory, 'causeway.yaml')],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      },
    )
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_MAX)
      this.onOutput(chunk.toString())
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#child = child
    this.#exit = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
  }

  async ready(deadlineMs = 20_000): Promise<void> {
    const url = `http://127.0.0.1:${this.adminPort}/health/ready`
    const ready = waitFor('node is ready', async () => (await status(url)) === 200, deadlineMs)
    const died = this.#exit!.then((code) =>
      Promise.reject(new Error(`node ended with ${code}:\n${this.#output}`)),
    )
    died.catch(() => undefined)
    await Promise.race([ready, died])
  }

  /** Resolves with the exit code; null when a signal ended it. */
  async ended(): Promise<number | null> {
    return await this.#exit!
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name)
  }

  /** Ends the process and removes its directory. */
  async destroy(): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await this.#exit
    }
    rmSync(this.directory, { recursive: true, force: true })
  }

  async get(path: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`)
    return { status: response.status, body: await response.json() }
  }

  /** Calls the admin API as an operator with every right; resolves with `data`. */
  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = await mintToken({
      keys: [Buffer.from(ADMIN_KEY)],
      // Someone else each time: tests ask more often than one operator may.
      subject: randomUUID(),
      scopes: Object.keys(SCOPES) as Scope[],
      ttlSeconds: 300,
      clock: systemClock,
    })
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/api/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const reply = (await response.json()) as { success: boolean; data: T }
    if (!reply.success) throw new Error(`${method} ${path}: ${JSON.stringify(reply)}`)
    return reply.data
  }

  /** Clearing balance of an account: above zero is what the node owes it. */
  async balance(accountId: string): Promise<bigint> {
    const balances = await this.admin<Balance[]>('GET', '/accounts')
    const found = balances.find((balance) => balance.id === accountId && balance.kind === 'clearing')
    if (found === undefined) throw new Error(`no account ${accountId}`)
    return BigInt(found.balance)
  }
}

async function status(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url)).status
  } catch {
    return undefined
  }
}
