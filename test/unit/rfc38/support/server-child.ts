import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'
import { ConnectorHost } from '../../../../src/settlement/rfc38/connector-host.ts'
import { HostJournal } from '../../../../src/settlement/rfc38/host-journal.ts'
import { Rfc38Server } from '../../../../src/settlement/rfc38/rfc38-server.ts'
import { BookEngine, type EngineBook } from './book-engine.ts'
import { DurableLines } from './durable-lines.ts'
import { killAt } from './kill-at.ts'

/**
 * An engine served to a foreign connector, on a network whose books are a file, until it is killed:
 * `<directory> <url of the connector> <port to listen on> <credits> <where to die>`. The network refuses every seventh
 * order and pays `credits` credits, told again at every start.
 */
const [, , directory = '', url = '', port = '', creditCount = '', dieAt = ''] = process.argv

const journal = new HostJournal(join(directory, 'host.db'))
killAt(journal, dieAt)
const network = new DurableLines(join(directory, 'network.books'))
const book: EngineBook = { orders: new Map(), refused: new Set() }
for (const line of network.lines) {
  const [what, id = '', accountId = '', amount = '0'] = line.split(' ')
  book.orders.set(id, { id, accountId, quantity: { amount: BigInt(amount), scale: 6 } })
  if (what === 'refused') book.refused.add(id)
}
const accountOf = () => ({
  assetCode: 'USD',
  assetScale: 6,
  ownAddress: undefined,
  peerAddress: undefined,
  options: {},
})
const retry = { firstMs: 2, maxMs: 40 }
const deps = { journal, clock: systemClock, logger: silentLogger, random: Math.random }
const connector = new ConnectorHost({ url, retry }, deps)
const engine = new BookEngine(connector, book, 6)
engine.refuses = ({ id, accountId, quantity }) => {
  const refused = network.lines.size % 7 === 6
  network.add(`${refused ? 'refused' : 'paid'} ${id} ${accountId} ${quantity.amount}`)
  return refused
}
const server = new Rfc38Server(
  { listen: { port: Number(port) }, accountOf, retry },
  { ...deps, engine, connector },
)
await server.start()
for (let index = 1; index <= Number(creditCount); index++) {
  const quantity = { amount: BigInt(index * 37), scale: 6 }
  await connector.credit({
    id: `chain:${index}`,
    accountId: 'alice',
    assetCode: 'USD',
    quantity,
    sender: undefined,
  })
}
