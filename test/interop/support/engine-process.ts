import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { freePort } from '../../support/free-port.ts'
import { waitFor } from '../../support/wait-for.ts'

const LAUNCHER = join(import.meta.dirname, '../../../bin/causeway.mjs')
const OUTPUT_MAX = 1_000_000
const START_DEADLINE_MS = 60_000

/** `causeway engine <name>` as a process of its own, with a configuration and data directory of its own. */
export class EngineProcess {
  readonly directory = mkdtempSync(join(tmpdir(), 'causeway-engine-'))
  readonly token = 'token-of-the-connector-0123456789abcdef'
  readonly #name: string
  #port = 0
  #child: ChildProcess | undefined
  #ended: Promise<number | null> | undefined
  #output = ''

  constructor(name: string) {
    this.#name = name
  }

  /** Writes the configuration; listeners, tokens and data directory are filled in. */
  async configure(
    section: Record<string, unknown>,
    engine: { connector: { url: string } } & Record<string, unknown>,
  ): Promise<void> {
    this.#port = await freePort()
    const dataDirectory = join(this.directory, 'data')
    mkdirSync(dataDirectory, { recursive: true })
    const secrets = { connector: this.token, operator: 'token-of-the-operator-0123456789abcdef' }
    writeFileSync(join(dataDirectory, 'secrets.yaml'), stringify(secrets), { mode: 0o600 })
    const config = {
      node: { environment: 'test', dataDirectory: 'data' },
      engines: { [this.#name]: section },
      engine: {
        listen: { port: this.#port, token: 'secret:connector' },
        admin: { port: await freePort(), token: 'secret:operator' },
        ...engine,
      },
    }
    writeFileSync(join(this.directory, 'engine.yaml'), stringify(config, { aliasDuplicateObjects: false }))
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get output(): string {
    return this.#output
  }

  /** Starts the process; resolves once it is healthy. */
  async start(): Promise<void> {
    const args = [LAUNCHER, 'engine', this.#name, '--config', 'engine.yaml']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.directory })
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#child = child
    this.#ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
    const isHealthy = async () => {
      if (child.exitCode !== null)
        throw new Error(`the engine ended with ${child.exitCode}:\n${this.#output}`)
      return (await fetch(`${this.url}/health`).catch(() => undefined))?.status === 200
    }
    await waitFor('the engine to be healthy', isHealthy, START_DEADLINE_MS)
  }

  /** Resolves with the exit code; null when the signal itself ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.#child!.kill(signal)
    return await this.#ended!
  }

  /** What an operator's command prints. */
  async operator<T>(...args: string[]): Promise<T> {
    const command = [LAUNCHER, 'engine', ...args, '--config', 'engine.yaml', '--json']
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: this.directory })
    return JSON.parse(stdout) as T
  }

  async destroy(): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      await this.end('SIGKILL')
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}
