import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'
import { EngineJournal } from '../../../../src/settlement/rfc38/engine-journal.ts'
import { Rfc38Engine } from '../../../../src/settlement/rfc38/rfc38-engine.ts'
import type { Rfc38EngineOptions } from '../../../../src/settlement/rfc38/rfc38-engine-options.ts'
import { ScriptedHost } from './scripted-host.ts'

/** Retries at once, so that tests need not wait. */
export const FAST_RETRY = { firstMs: 2, maxMs: 40 }

/** A client of a foreign engine with a journal in a directory of its own. */
export class EngineBench {
  readonly directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-'))
  readonly host = new ScriptedHost()
  readonly #options: Partial<Rfc38EngineOptions> & { url: string }
  engine: Rfc38Engine

  constructor(options: Partial<Rfc38EngineOptions> & { url: string }) {
    this.#options = options
    try {
      this.engine = this.make()
    } catch (error) {
      rmSync(this.directory, { recursive: true, force: true })
      throw error
    }
  }

  get journalPath(): string {
    return join(this.directory, 'engine.db')
  }

  make(): Rfc38Engine {
    const options = { name: 'rfc38', listen: { port: 0 }, retry: FAST_RETRY, ...this.#options }
    const journal = new EngineJournal(this.journalPath)
    return new Rfc38Engine(options, {
      host: this.host,
      journal,
      clock: systemClock,
      logger: silentLogger,
      random: Math.random,
    })
  }

  /** Stops the engine and starts another one on the same journal. */
  async restart(): Promise<void> {
    await this.engine.stop()
    this.engine = this.make()
    await this.engine.start()
  }

  async destroy(): Promise<void> {
    await this.engine.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }
}
