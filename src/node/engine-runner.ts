import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { within } from '../lib/within.ts'
import { BackOff } from '../settlement/back-off.ts'
import { EngineConfigError, type SettlementEngine } from '../settlement/engine.ts'
import type { EngineStart } from '../settlement/engine-start.ts'
import type { SettlementCoordinator } from '../settlement/settlement-coordinator.ts'

/** How long the start of the node waits for an engine's network; the engine goes on trying behind it. */
const FIRST_START_MS = 10_000
const RETRY = { firstMs: 1_000, maxMs: 60_000 }
const STOP_DEADLINE_MS = 15_000

export interface EngineRunnerDeps {
  engine: SettlementEngine
  coordinator: Pick<SettlementCoordinator, 'addEngine'>
  clock: Clock
  logger: Logger
}

/**
 * Brings one engine up and keeps trying while its network is away: peers exchange packets meanwhile. Only a
 * configuration that cannot work keeps the node from starting.
 */
export class EngineRunner {
  readonly #deps: EngineRunnerDeps
  readonly #backOff = new BackOff(RETRY)
  #starting: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #sinceMs: number | undefined
  #lastError: string | undefined

  constructor(deps: EngineRunnerDeps) {
    this.#deps = deps
  }

  /** How far it has come. */
  get status(): EngineStart {
    return { sinceMs: this.#sinceMs, lastError: this.#lastError }
  }

  /** @throws EngineConfigError when the engine must not run as it is configured */
  async start(): Promise<void> {
    const { clock, engine, logger } = this.#deps
    this.#sinceMs = clock.now()
    const late = () => new Error(`not started within ${FIRST_START_MS} ms`)
    try {
      await within(this.#attempt(), FIRST_START_MS, late)
    } catch (error) {
      if (error instanceof EngineConfigError) throw error
      logger.error('settlement engine has not started: it goes on trying', { engine: engine.name, error })
      this.#failed(error)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const { engine } = this.#deps
    const late = () => new Error(`engine ${engine.name} did not stop within ${STOP_DEADLINE_MS} ms`)
    await within(this.#end(), STOP_DEADLINE_MS, late)
  }

  /** A start under way is over before: it takes what a stop gives back. */
  async #end(): Promise<void> {
    await this.#starting?.catch(() => undefined)
    await this.#deps.engine.stop()
  }

  #attempt(): Promise<void> {
    this.#starting ??= this.#begin().finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #begin(): Promise<void> {
    const { clock, coordinator, engine, logger } = this.#deps
    await engine.start()
    if (this.#stopped) return
    await coordinator.addEngine(engine)
    // A start that took too long is over all the same: there is nothing to repeat.
    clearTimeout(this.#timer)
    this.#backOff.succeeded()
    this.#sinceMs = clock.now()
    this.#lastError = undefined
    logger.info('settlement engine started', { engine: engine.name })
  }

  #failed(error: unknown): void {
    this.#lastError = error instanceof Error ? error.message : String(error)
    this.#retry()
  }

  #retry(): void {
    if (this.#stopped) return
    const { clock, engine, logger } = this.#deps
    this.#backOff.failed(clock.now())
    const delayMs = Math.max(0, (this.#backOff.dueAtMs ?? 0) - clock.now())
    this.#timer = setTimeout(() => {
      this.#attempt().catch((error: unknown) => {
        logger.warn('settlement engine has not started: it goes on trying', { engine: engine.name, error })
        this.#failed(error)
      })
    }, delayMs)
    this.#timer.unref()
  }
}
