import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'
import type { EngineHost } from '../../../../src/settlement/engine.ts'
import { EngineJournal } from '../../../../src/settlement/rfc38/engine-journal.ts'
import { Rfc38Engine } from '../../../../src/settlement/rfc38/rfc38-engine.ts'
import { DurableLines } from './durable-lines.ts'
import { killAt } from './kill-at.ts'
import { account, order } from './orders.ts'

/**
 * A node that settles with a foreign engine until all its orders are settled and all expected credits are booked:
 * `<directory> <url of the engine> <port to listen on> <orders> <credits> <where to die>`.
 */
const [, , directory = '', url = '', port = '', orderCount = '', creditCount = '', dieAt = ''] = process.argv

const journal = new EngineJournal(join(directory, 'engine.db'))
killAt(journal, dieAt)
const books = new DurableLines(join(directory, 'node.books'))
const host: EngineHost = {
  credit: async ({ id, quantity }) => void books.add(`credit ${id} ${quantity.amount} ${quantity.scale}`),
  settled: async (id) => void books.add(`settled ${id}`),
  refused: async (id) => void books.add(`refused ${id}`),
  send: async (_, message) => message,
  credited: notAsked,
  orders: notAsked,
}
const engine = new Rfc38Engine(
  { name: 'rfc38', url, listen: { port: Number(port) }, retry: { firstMs: 2, maxMs: 40 } },
  { host, journal, clock: systemClock, logger: silentLogger, random: Math.random },
)
await engine.start()
await engine.openAccount(account('alice'))
for (let index = 1; index <= Number(orderCount); index++)
  await engine.settle(order(BigInt(index) ** 2n, 'alice', `order-${index}`))

const giveUpAtMs = Date.now() + 30_000
while (books.lines.size < Number(orderCount) + Number(creditCount) || (await unfinished())) {
  if (Date.now() > giveUpAtMs) throw new Error('not everything was settled and booked in time')
  await new Promise((resolve) => setTimeout(resolve, 2))
}
await engine.stop()

async function unfinished(): Promise<boolean> {
  return (await engine.statement('alice')).open.amount > 0n
}

async function notAsked(): Promise<never> {
  throw new Error('not asked for here')
}
