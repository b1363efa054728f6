import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { mintToken } from '../admin/operator-token.ts'
import { generateToken } from '../config/generate-token.ts'
import { systemClock } from '../lib/clock.ts'
import { AdminClient } from './admin-client.ts'
import { packageRoot } from './package-root.ts'

/** A node starts in a second or two; a busy machine takes longer. */
const START_DEADLINE_MS = 60_000
const STOP_DEADLINE_MS = 30_000
const POLL_MS = 100
/** What is kept of a node's output, for the message when it fails. */
const OUTPUT_MAX = 10_000
const TOKEN_TTL_SECONDS = 600

/** One of the demo's nodes: a process of its own, bound to loopback, with a configuration of its own. */
export class DemoNode {
  readonly name: string
  readonly client: AdminClient
  readonly #adminUrl: string
  readonly #configPath: string
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #output = ''

  private constructor(name: string, adminUrl: string, configPath: string, key: string) {
    this.name = name
    this.#adminUrl = adminUrl
    this.#configPath = configPath
    const token = () =>
      mintToken({
        keys: [Buffer.from(key)],
        subject: 'demo',
        scopes: ['admin:read', 'payments:read', 'payments:write', 'settlements:write'],
        ttlSeconds: TOKEN_TTL_SECONDS,
        clock: systemClock,
      })
    this.client = new AdminClient({ url: adminUrl, token, timeoutMs: 10_000, startCommand: 'causeway demo' })
  }

  /** Writes configuration and secrets into a directory of the node's own. */
  static async create(
    name: string,
    parent: string,
    config: Record<string, unknown> & { node?: Record<string, unknown> },
    secrets: Record<string, string>,
  ): Promise<DemoNode> {
    const directory = join(parent, name)
    const port = await freePort()
    const key = generateToken()
    mkdirSync(join(directory, 'data'), { recursive: true, mode: 0o700 })
    const node = { id: name, environment: 'development', dataDirectory: 'data', ...config.node }
    const whole = { ...config, node, admin: { port }, logging: { level: 'warn', format: 'text' } }
    const path = join(directory, 'causeway.yaml')
    writeFileSync(path, stringify(whole))
    const values = stringify({ ...secrets, 'admin-key': key })
    writeFileSync(join(directory, 'data', 'secrets.yaml'), values, { mode: 0o600 })
    return new DemoNode(name, `http://127.0.0.1:${port}`, path, key)
  }

  /** Resolves when the node is ready; rejects with its last words when it ends or takes too long. */
  async start(): Promise<void> {
    const launcher = join(packageRoot(), 'bin', 'causeway.mjs')
    const child = spawn(process.execPath, [launcher, 'start', '--config', this.#configPath], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()))
    await waitUntil(`${this.name} is ready`, START_DEADLINE_MS, async () => {
      if (child.exitCode !== null) throw new Error(`node ${this.name} ended at its start:\n${this.#output}`)
      return await this.#answersReady()
    })
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
    await this.#exited
    clearTimeout(force)
  }

  async #answersReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.#adminUrl}/health/ready`)).status === 200
    } catch {
      return false
    }
  }
}

/** Polls until `check` holds. Rejects after the deadline. */
export async function waitUntil(
  what: string,
  deadlineMs: number,
  check: () => Promise<boolean>,
  pollMs = POLL_MS,
): Promise<void> {
  const until = Date.now() + deadlineMs
  while (!(await check())) {
    if (Date.now() > until) throw new Error(`waited ${deadlineMs / 1000} s in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

/** A port of the loopback interface that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  if (address === null || typeof address === 'string') throw new Error('the system gave no port')
  return address.port
}
