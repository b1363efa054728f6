import { type ChildProcess, fork } from 'node:child_process'
import type { Ends } from '../subjects/subject.ts'
import type { LoadReply, LoadRequest, Window, WindowResult } from './load.ts'
import { ANSWER_GRACE_MS } from './traffic.ts'

const CONNECT_DEADLINE_MS = 30_000
const DISCONNECT_DEADLINE_MS = 15_000
const STOP_DEADLINE_MS = 2_000
/** What a busy machine may add to the planned length of a window. */
const WINDOW_SLACK_MS = 20_000
/** How much of what the load prints is kept. Characters. */
const OUTPUT_MAX = 20_000

type RequestBody = LoadRequest extends infer Each ? (Each extends unknown ? Omit<Each, 'id'> : never) : never

/** A load process, seen from the bench. */
export class LoadHandle {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(reply: LoadReply): void; reject(error: Error): void }>()
  #nextId = 1
  #output = ''

  constructor() {
    const child = fork(new URL('./load-process.ts', import.meta.url), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // JSON would turn a figure that is not a number into null.
      serialization: 'advanced',
    })
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_MAX)
    }
    child.stdout!.on('data', keep)
    child.stderr!.on('data', keep)
    child.on('message', (reply: LoadReply) => {
      this.#waiting.get(reply.id)?.resolve(reply)
      this.#waiting.delete(reply.id)
    })
    child.on('error', (error) => this.#fail(error))
    child.on('exit', (code, signal) =>
      this.#fail(new Error(`the load ended with ${code ?? signal}\n${this.#output}`)),
    )
    this.#child = child
  }

  /** What the load printed: complaints only. */
  get output(): string {
    return this.#output
  }

  async connect(ends: Ends, amount: number): Promise<void> {
    const { protocol, payers, payees } = ends
    const deliveredAmount = ends.deliveredAmount(amount)
    const request = { op: 'connect', ends: { protocol, payers, payees }, amount, deliveredAmount } as const
    await this.#request(request, CONNECT_DEADLINE_MS)
  }

  async run(window: Window): Promise<WindowResult> {
    const plannedMs = window.warmUpMs + window.measureMs + window.expiresInMs + ANSWER_GRACE_MS
    const reply = await this.#request({ op: 'run', window }, plannedMs + WINDOW_SLACK_MS)
    if (reply.result === undefined) throw new Error('the load answered without a result')
    return reply.result
  }

  async disconnect(): Promise<void> {
    await this.#request({ op: 'disconnect' }, DISCONNECT_DEADLINE_MS)
  }

  /** Ends the process: it goes when its channel does, and is killed when it will not. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
    if (child.connected) child.disconnect()
    await ended
    clearTimeout(kill)
  }

  async #request(body: RequestBody, deadlineMs: number): Promise<LoadReply & { outcome: 'done' }> {
    const id = this.#nextId++
    const reply = await new Promise<LoadReply>((resolve, reject) => {
      const late = () => reject(new Error(`the load did not answer "${body.op}" in ${deadlineMs} ms`))
      const timer = setTimeout(late, deadlineMs)
      const settled = () => clearTimeout(timer)
      this.#waiting.set(id, {
        resolve: (value) => {
          settled()
          resolve(value)
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      })
      this.#child.send({ id, ...body }, (error) => {
        if (error !== null) this.#fail(error)
      })
    })
    if (reply.outcome === 'failed') throw new Error(reply.message)
    return reply
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
