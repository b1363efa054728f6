import type { Logger } from '../../lib/logger.ts'
import { within } from '../../lib/within.ts'
import type { SettlementEngine } from '../engine.ts'
import type { HttpReply } from './bounded-http-server.ts'

const EVERY_MS = 5_000
const DEADLINE_MS = 3_000

export interface EngineHealthDeps {
  readonly engine: Pick<SettlementEngine, 'name' | 'probe'>
  readonly logger: Logger
}

/** Whether the engine reaches its network: asked every 5 s in the background, told from memory. */
export class EngineHealth {
  readonly #deps: EngineHealthDeps
  #timer: NodeJS.Timeout | undefined
  #isRunning = false
  /** Undefined until the first probe has ended. */
  #isHealthy: boolean | undefined

  constructor(deps: EngineHealthDeps) {
    this.#deps = deps
  }

  /** Resolves after the first probe, whatever came of it. */
  async start(): Promise<void> {
    this.#isRunning = true
    await this.#probe()
  }

  stop(): void {
    this.#isRunning = false
    this.#isHealthy = undefined
    clearTimeout(this.#timer)
  }

  get isHealthy(): boolean {
    return this.#isHealthy === true
  }

  /** `GET /health`: 200 while the network is reached, 503 otherwise. Anyone may ask: it tells nothing more. */
  page(path: string): HttpReply | undefined {
    if (path !== '/health') return undefined
    const status = this.isHealthy ? 'healthy' : 'unhealthy'
    return { status: this.isHealthy ? 200 : 503, body: JSON.stringify({ status }) }
  }

  async #probe(): Promise<void> {
    const { engine, logger } = this.#deps
    const before = this.#isHealthy
    let reason: string | undefined
    try {
      const late = () => new Error(`no answer within ${DEADLINE_MS} ms`)
      await within(engine.probe(AbortSignal.timeout(DEADLINE_MS)), DEADLINE_MS, late)
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
    }
    if (!this.#isRunning) return
    this.#isHealthy = reason === undefined
    if (reason !== undefined && before !== false)
      logger.warn('the engine does not reach its network', { engine: engine.name, reason })
    if (reason === undefined && before === false)
      logger.info('the engine reaches its network again', { engine: engine.name })
    this.#timer = setTimeout(() => void this.#probe(), EVERY_MS)
    this.#timer.unref()
  }
}
