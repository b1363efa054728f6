import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import type { EngineStep } from '../../../settlement-engines/evm/engine/engine-core.ts'
import { EvmEngine } from '../../../settlement-engines/evm/engine/evm-engine.ts'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import {
  type EngineHost,
  MessageRefusedError,
  PeerMessageError,
  type SettlementOrder,
} from '../../../src/settlement/engine.ts'

export interface ChildTask {
  readonly options: EvmEngineOptions
  /** Where the node's books are. */
  readonly directory: string
  readonly port: number
  readonly peerPort: number
  /** Where to die, at which passing of it. */
  readonly crash: { readonly step: EngineStep; readonly count: number } | undefined
}

export type ToChild =
  | { readonly order: { readonly id: string; readonly amount: string } }
  | { readonly stop: true }
export type FromChild = { readonly ready: true } | { readonly taken: string }

const ACCOUNT = 'peer'
const SCALE = 18
const HAND_OVER_PAUSE_MS = 50
/** The test reads the books too. */
const BUSY_TIMEOUT_MS = 5_000

const task = JSON.parse(process.argv[2]!) as ChildTask
let left = task.crash?.count ?? 0

function checkpoint(step: EngineStep): void {
  if (step !== task.crash?.step || --left !== 0) return
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** The node's own books, which survive the process: orders and credits. */
const books = new DatabaseSync(join(task.directory, 'node.db'), { timeout: BUSY_TIMEOUT_MS })
books.exec(
  `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
   CREATE TABLE IF NOT EXISTS orders (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, amount TEXT NOT NULL,
     state TEXT NOT NULL);
   CREATE TABLE IF NOT EXISTS credits (id TEXT PRIMARY KEY, account_id TEXT, amount TEXT NOT NULL)`,
)

function ordersIn(state: string): SettlementOrder[] {
  const rows = books.prepare('SELECT id, amount FROM orders WHERE state = ? ORDER BY seq').all(state)
  return rows.map(({ amount, id }) => ({
    id: String(id),
    accountId: ACCOUNT,
    quantity: { amount: BigInt(amount as string), scale: SCALE },
  }))
}

function ended(id: string, state: 'settled' | 'refused'): void {
  const { changes } = books
    .prepare("UPDATE orders SET state = ? WHERE id = ? AND state IN ('held', 'handed-over', ?)")
    .run(state, id, state)
  if (Number(changes) !== 1) throw new Error(`order ${id} cannot be ${state}`)
}

const host: EngineHost = {
  credit: async ({ accountId, id, quantity }) => {
    const amount = String(quantity.amount)
    books.prepare('INSERT OR IGNORE INTO credits VALUES (?, ?, ?)').run(id, accountId ?? null, amount)
    const known = books.prepare('SELECT amount FROM credits WHERE id = ?').get(id)
    if (known?.amount !== amount) throw new Error(`credit ${id} was another`)
  },
  settled: async (id) => ended(id, 'settled'),
  refused: async (id) => ended(id, 'refused'),
  credited: async (prefix) => {
    const rows = books.prepare('SELECT amount FROM credits WHERE substr(id, 1, length(?1)) = ?1').all(prefix)
    return { amount: rows.reduce((sum, row) => sum + BigInt(row.amount as string), 0n), scale: SCALE }
  },
  orders: async () => {
    const amount = ordersIn('settled').reduce((sum, { quantity }) => sum + quantity.amount, 0n)
    return { settled: { amount, scale: SCALE }, open: ordersIn('handed-over'), offered: ordersIn('held') }
  },
  send: async (_, message) => {
    const url = `http://127.0.0.1:${task.peerPort}/`
    const response = await fetch(url, { method: 'POST', body: new Uint8Array(message) }).catch(
      (error: unknown) => {
        throw new PeerMessageError(String(error))
      },
    )
    const body = Buffer.from(await response.arrayBuffer())
    if (response.status === 200) return body
    throw new PeerMessageError('refused', response.status === 422 ? body.toString() : undefined)
  },
}

const engine = new EvmEngine(task.options, { host, clock: systemClock, logger: silentLogger, checkpoint })

const server = createServer((request, response) => {
  void (async () => {
    try {
      response.end(await engine.receive(ACCOUNT, await read(request)))
    } catch (error) {
      response.statusCode = error instanceof MessageRefusedError ? 422 : 503
      response.end(error instanceof MessageRefusedError ? error.code : String(error))
    }
  })()
})

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** As a node does: an order is held before it is handed over, and handed over again until that is known. */
async function handOver(): Promise<void> {
  for (const order of ordersIn('held')) {
    await engine.settle(order)
    books.prepare("UPDATE orders SET state = 'handed-over' WHERE id = ? AND state = 'held'").run(order.id)
  }
}

let handingOver = Promise.resolve()
function handOverSoon(): void {
  handingOver = handingOver.then(handOver).catch(() => {
    setTimeout(handOverSoon, HAND_OVER_PAUSE_MS)
  })
}

function tell(message: FromChild): void {
  process.send!(message)
}

async function stop(): Promise<void> {
  server.closeAllConnections()
  server.close()
  await engine.stop()
  books.close()
  // Idle connections to the peer would keep it for some seconds.
  process.exit(0)
}

process.on('message', (message: ToChild) => {
  if ('stop' in message) {
    void stop()
    return
  }
  const { amount, id } = message.order
  books.prepare("INSERT OR IGNORE INTO orders (id, amount, state) VALUES (?, ?, 'held')").run(id, amount)
  tell({ taken: id })
  handOverSoon()
})

server.listen(task.port, '127.0.0.1')
await once(server, 'listening')
await engine.start()
await engine.openAccount({
  id: ACCOUNT,
  assetCode: 'ETH',
  assetScale: 9,
  ownAddress: undefined,
  peerAddress: undefined,
  options: {},
})
tell({ ready: true })
handOverSoon()
