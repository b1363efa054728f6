import { join } from 'node:path'
import { systemClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'
import type { SettlementOrder } from '../../../../src/settlement/engine.ts'
import { ConnectorHost } from '../../../../src/settlement/rfc38/connector-host.ts'
import { HostJournal } from '../../../../src/settlement/rfc38/host-journal.ts'
import { Rfc38Server } from '../../../../src/settlement/rfc38/rfc38-server.ts'
import { BookEngine, type EngineBook } from './book-engine.ts'
import { FAST_RETRY } from './engine-bench.ts'

/** An engine of ours, with a network in memory that counts in millionths, served over RFC 38. */
export class ServerBench {
  readonly book: EngineBook = { orders: new Map(), refused: new Set() }
  journal!: HostJournal
  engine!: BookEngine
  connector!: ConnectorHost
  server!: Rfc38Server
  assetCode = 'USD'
  refuses: (order: SettlementOrder) => boolean = () => false
  before: () => void = () => undefined
  after: () => void = () => undefined
  readonly #make: () => void

  constructor(directory: string, connectorUrl: string, token?: string, host?: string) {
    this.#make = () => {
      this.journal = new HostJournal(join(directory, 'host.db'))
      const accountOf = () => ({
        assetCode: this.assetCode,
        assetScale: 6,
        ownAddress: undefined,
        peerAddress: undefined,
        options: {},
      })
      const deps = { journal: this.journal, clock: systemClock, logger: silentLogger, random: Math.random }
      this.connector = new ConnectorHost({ url: connectorUrl, retry: FAST_RETRY }, deps)
      this.engine = new BookEngine(this.connector, this.book, 6)
      this.engine.refuses = (order) => this.refuses(order)
      this.engine.before = () => this.before()
      this.engine.after = () => this.after()
      this.server = new Rfc38Server(
        { listen: { host, port: 0, token }, accountOf, retry: FAST_RETRY },
        { ...deps, engine: this.engine, connector: this.connector },
      )
    }
    this.#make()
  }

  /** Stops the server and starts another one on the same journal and network. */
  async restart(): Promise<void> {
    await this.server.stop()
    this.#make()
    await this.server.start()
  }
}
