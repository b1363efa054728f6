import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { ChildTask, FromChild, ToChild } from './evm-engine-child.ts'

const CHILD = join(import.meta.dirname, 'evm-engine-child.ts')
/** A crash point that is never passed must end the test, not hang it. */
const DEATH_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 15_000
/** Between orders while a process is to die of one of them. */
const ORDER_PAUSE_MS = 30
const ORDERS_AT_ONCE = 6
const BUSY_TIMEOUT_MS = 5_000

export interface OrderRow {
  readonly id: string
  readonly amount: bigint
  readonly state: string
}

/** One side: an engine and a node's books, in a process that dies and comes back. */
export class EngineProcess {
  readonly orders = new Map<string, bigint>()
  readonly #task: Omit<ChildTask, 'crash'>
  readonly #cache: string
  readonly #taken = new Set<string>()
  #child: ChildProcess | undefined
  #errors = ''

  constructor(task: Omit<ChildTask, 'crash'>, options: { compileCache: string }) {
    this.#task = task
    this.#cache = options.compileCache
  }

  /** Resolves when it is ready, or dead before. */
  async start(crash: ChildTask['crash']): Promise<void> {
    const child = spawn(process.execPath, [CHILD, JSON.stringify({ ...this.#task, crash })], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: this.#cache },
    })
    this.#child = child
    this.#errors = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString()
    })
    const ready = new Promise<void>((resolve) => {
      child.on('message', (message: FromChild) => {
        if ('taken' in message) this.#taken.add(message.taken)
        else resolve()
      })
    })
    await Promise.race([ready, once(child, 'exit')])
    for (const [id, amount] of this.orders) if (!this.#taken.has(id)) this.#send(id, amount)
  }

  order(id: string, amount: bigint): void {
    this.orders.set(id, amount)
    this.#send(id, amount)
  }

  get isAlive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Gives it work until it has killed itself. `more` makes the next order of either side. */
  async dieOfWork(more: () => void, openOrders: () => number): Promise<void> {
    const deadline = Date.now() + DEATH_DEADLINE_MS
    while (this.isAlive) {
      if (Date.now() > deadline) throw new Error(`it did not die in time: ${this.#errors}`)
      if (openOrders() < ORDERS_AT_ONCE) more()
      await new Promise((resolve) => setTimeout(resolve, ORDER_PAUSE_MS))
    }
    if (this.#child!.signalCode !== 'SIGKILL') throw new Error(`it ended by itself: ${this.#errors}`)
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.isAlive) return
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
    const ended = once(child, 'exit')
    if (child.connected) child.send({ stop: true } satisfies ToChild)
    await ended
    clearTimeout(timer)
    if (child.exitCode !== 0) throw new Error(`it ended with ${child.exitCode}: ${this.#errors}`)
  }

  /** The node's books as they are on the disk. */
  books(): { orders: OrderRow[]; credits: { id: string; amount: bigint }[] } {
    const database = new DatabaseSync(join(this.#task.directory, 'node.db'), { timeout: BUSY_TIMEOUT_MS })
    try {
      // Before its first start has come so far there is nothing.
      const isMade =
        database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'credits'").get() !== undefined
      if (!isMade) return { orders: [], credits: [] }
      const orders = database.prepare('SELECT id, amount, state FROM orders').all()
      const credits = database.prepare('SELECT id, amount FROM credits WHERE account_id IS NOT NULL').all()
      return {
        orders: orders.map(({ amount, id, state }) => ({
          id: String(id),
          amount: BigInt(amount as string),
          state: String(state),
        })),
        credits: credits.map(({ amount, id }) => ({ id: String(id), amount: BigInt(amount as string) })),
      }
    } finally {
      database.close()
    }
  }

  #send(id: string, amount: bigint): void {
    if (this.#child?.connected !== true) return
    this.#child.send({ order: { id, amount: String(amount) } } satisfies ToChild, () => undefined)
  }
}
