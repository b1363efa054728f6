import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, type ConfigProblem } from './config/config-error.ts'
import type { LoadedEngineConfiguration } from './config/load-engine-config.ts'
import type { RunEngine, StartedEngine } from './config/run-engine.ts'
import { systemClock } from './lib/clock.ts'
import type { Logger } from './lib/logger.ts'
import { within } from './lib/within.ts'
import { checkAccount, problemsAt } from './node/check-engine.ts'
import { createEngine } from './node/create-engine.ts'
import { createLogger } from './observability/logger.ts'
import { stopSignal } from './services/stop-signals.ts'
import { EngineConfigError, type SettlementEngine } from './settlement/engine.ts'
import { ConnectorHost } from './settlement/rfc38/connector-host.ts'
import { EngineAdmin } from './settlement/rfc38/engine-admin.ts'
import { HostJournal } from './settlement/rfc38/host-journal.ts'
import { Rfc38Server } from './settlement/rfc38/rfc38-server.ts'
import { servedAccount } from './settlement/rfc38/served-account.ts'

/** What is under way is taken up by the next start; Kubernetes sends SIGKILL after 30 s. */
const STOP_DEADLINE_MS = 20_000

/** Serves an engine of ours to a foreign connector until a signal tells it to stop. Resolves with the exit code. */
export const runEngine: RunEngine = async (name, loaded, options) => {
  const served = await asConfigError(loaded, `engines.${name}`, () => ServedEngine.create(name, loaded))
  if (options.checkOnly === true) return 0
  const stopping = stopSignal()
  try {
    await asConfigError(loaded, `engines.${name}`, () => served.start())
  } catch (error) {
    await served.stop()
    throw error
  }
  options.started(served.startedInfo())
  served.logger.info('engine stops', { signal: await stopping })
  await served.stop()
  return 0
}

/** The parts, in the order in which they depend on each other. */
class ServedEngine {
  readonly logger: Logger
  readonly #loaded: LoadedEngineConfiguration
  readonly #engine: SettlementEngine
  readonly #server: Rfc38Server
  readonly #admin: EngineAdmin | undefined

  static async create(name: string, loaded: LoadedEngineConfiguration): Promise<ServedEngine> {
    const { baseDirectory, config, secrets } = loaded
    const { dataDirectory } = config.node
    const logger = createLogger({ ...config.logging, nodeId: `engine-${name}` })
    const journal = new HostJournal(join(dataDirectory, `settlement-${name}-served.db`))
    const parts = { journal, clock: systemClock, logger, random: Math.random }
    const connector = new ConnectorHost(secrets.resolveAll(config.engine.connector), parts)
    const section = secrets.resolveAll(config.engines[name]!)
    const host = { host: connector, dataDirectory, baseDirectory }
    const engine = await createEngine(name, section, { ...parts, ...host })
    const problems: ConfigProblem[] = []
    for (const id of Object.keys(config.engine.accounts)) {
      const { assetCode, options } = servedAccount(config.engine, id)
      const found = await checkAccount(section, assetCode, options)
      problems.push(...problemsAt(`engine.accounts.${id}.options`, found))
    }
    if (problems.length > 0) throw new ConfigError(problems, loaded.path)
    return new ServedEngine(loaded, { ...parts, connector, engine })
  }

  private constructor(
    loaded: LoadedEngineConfiguration,
    parts: ConstructorParameters<typeof Rfc38Server>[1],
  ) {
    this.#loaded = loaded
    this.#engine = parts.engine
    this.logger = parts.logger
    const { config, secrets } = loaded
    const { admin, listen } = config.engine
    this.#server = new Rfc38Server(
      { listen: secrets.resolveAll(listen), accountOf: (id) => servedAccount(config.engine, id) },
      parts,
    )
    if (admin !== undefined) {
      this.#admin = new EngineAdmin(secrets.resolveAll(admin), { ...parts, server: this.#server })
    }
  }

  async start(): Promise<void> {
    mkdirSync(this.#loaded.config.node.dataDirectory, { recursive: true, mode: 0o700 })
    await this.#server.start()
    await this.#admin?.start()
    this.logger.info('engine started', { ...this.startedInfo() })
  }

  /** Stops whatever was started, within a bounded time. */
  async stop(): Promise<void> {
    const stopped = (async () => {
      await this.#admin?.stop()
      await this.#server.stop()
    })()
    try {
      await within(stopped, STOP_DEADLINE_MS, () => new Error(`not stopped within ${STOP_DEADLINE_MS} ms`))
      this.logger.info('engine stopped')
    } catch (error) {
      this.logger.error('the engine did not stop in order: the next start takes up what is open', { error })
    }
  }

  startedInfo(): StartedEngine {
    return {
      name: this.#engine.name,
      url: this.#server.url()!,
      adminUrl: this.#admin?.url(),
      connectorUrl: this.#loaded.config.engine.connector.url,
    }
  }
}

/** An engine that must not run as it is configured is a problem of the file, at `path`. */
async function asConfigError<T>(
  { path: file }: LoadedEngineConfiguration,
  path: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof EngineConfigError)) throw error
    const inner = error.path === '' ? '' : `.${error.path}`
    throw new ConfigError([{ path: `${path}${inner}`, message: error.message }], file)
  }
}
