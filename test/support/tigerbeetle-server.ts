import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const START_DEADLINE_MS = 60_000
const CONNECT_PAUSE_MS = 20

/** The server program named by `TIGERBEETLE_BIN`, or the one on the PATH. */
export function findTigerBeetle(): string | undefined {
  const named = process.env.TIGERBEETLE_BIN
  if (named !== undefined && named !== '') return named
  const places = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'tigerbeetle'))
  return places.find(isExecutable)
}

/** As `findTigerBeetle`; says loudly which tests do not run when there is none. */
export function findTigerBeetleOrWarn(tests: string): string | undefined {
  const binary = findTigerBeetle()
  if (binary === undefined) {
    console.warn(
      `\n*** SKIPPED: ${tests} need a TigerBeetle server and found none.\n*** Put "tigerbeetle" on the PATH or set TIGERBEETLE_BIN to run them.\n`,
    )
  }
  return binary
}

/** A real single-replica server on loopback, with a data file in a directory of its own (some 1.1 GB while it lives). */
export class TigerBeetleServer {
  readonly #binary: string
  readonly #directory: string
  readonly #file: string
  readonly #flags: readonly string[]
  #child: ChildProcess | undefined
  #port = 0

  private constructor(binary: string, flags: readonly string[]) {
    this.#flags = flags
    this.#binary = binary
    this.#directory = mkdtempSync(join(tmpdir(), 'causeway-tigerbeetle-'))
    this.#file = join(this.#directory, '0_0.tigerbeetle')
  }

  /** With small messages and caches; `production`: as it is deployed, which takes some seconds and 1.5 GB more. */
  static async start(binary: string, kind: 'development' | 'production' = 'development') {
    const server = new TigerBeetleServer(binary, kind === 'development' ? ['--development'] : [])
    try {
      const identity = ['--cluster=0', '--replica=0', '--replica-count=1']
      await promisify(execFile)(binary, ['format', ...identity, ...server.#flags, server.#file])
      await server.#launch()
      return server
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  get port(): number {
    return this.#port
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** From now on the server does nothing; connections stay. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Ends the server as a power failure would. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  /** Starts a killed server again, with the same data on the same port. */
  async restart(): Promise<void> {
    await this.#launch()
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #launch(): Promise<void> {
    const isFirst = this.#port === 0
    const addresses = isFirst ? '0' : this.address
    const args = ['start', `--addresses=${addresses}`, ...this.#flags, this.#file]
    // The server ends by itself when this process, and so its standard input, is gone.
    const child = spawn(this.#binary, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#child = child
    const abort = AbortSignal.timeout(START_DEADLINE_MS)
    if (isFirst) {
      const [line] = (await once(child.stdout, 'data', { signal: abort })) as [Buffer]
      this.#port = Number(line.toString().trim())
    }
    child.stdout.resume()
    while (!(await this.#isListening())) {
      if (abort.aborted || child.exitCode !== null) throw new Error('the TigerBeetle server does not start')
      await delay(CONNECT_PAUSE_MS)
    }
  }

  async #isListening(): Promise<boolean> {
    const socket = connect(this.#port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return true
    } catch {
      return false
    } finally {
      socket.destroy()
    }
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
