import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { waitFor } from '../../test/support/wait-for.ts'

/** How long a process has to listen on all its ports, milliseconds. */
const READY_DEADLINE_MS = 30_000
/** How long a process has to end after SIGTERM, milliseconds. */
const STOP_DEADLINE_MS = 2_000
/** How much of its output is kept for the message when it fails, characters. */
const OUTPUT_MAX = 100_000

export interface SubjectProcessOptions {
  /** The program, run by the Node that runs the bench. */
  program: string
  args?: string[]
  env?: Record<string, string>
  /** Ports of the loopback interface on which it listens once it is ready. */
  ports: number[]
}

/** A connector or relay in a process of its own, with what production settings all of them share. */
export class SubjectProcess {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #exit: Promise<void>
  #output = ''

  private constructor({ program, args = [], env = {} }: SubjectProcessOptions) {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment(), ...env },
    })
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#child = child
    this.#exit = new Promise((resolve) => child.once('exit', () => resolve()))
    this.pid = child.pid!
  }

  /** Starts the program; resolves once it takes connections. Rejects with its output when it ends before. */
  static async start(options: SubjectProcessOptions): Promise<SubjectProcess> {
    const subject = new SubjectProcess(options)
    try {
      for (const port of options.ports) {
        const what = `${options.program} listens on port ${port}`
        const isListening = async () => subject.#hasEnded() || (await acceptsConnections(port))
        await waitFor(what, isListening, READY_DEADLINE_MS)
      }
      if (subject.#hasEnded()) throw new Error(`${options.program} ended while it started`)
    } catch (error) {
      await subject.stop()
      throw new Error(`${(error as Error).message}; its output:\n${subject.#output}`)
    }
    return subject
  }

  /** The end of what it printed. */
  get output(): string {
    return this.#output
  }

  async stop(): Promise<void> {
    if (this.#hasEnded()) return
    this.#child.kill('SIGTERM')
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS)
    await this.#exit
    clearTimeout(force)
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }
}

/** Ours, without what a developer may have set to see more, which costs time. */
function environment(): NodeJS.ProcessEnv {
  const { DEBUG: _debug, NODE_DEBUG: _nodeDebug, ...rest } = process.env
  return { ...rest, NODE_ENV: 'production' }
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
