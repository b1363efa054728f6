import assert from 'node:assert'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type {
  DependencyStatus,
  DependencyStatuses,
  HealthStatus,
  LivenessStatus,
  ReadinessStatus,
  StartupStatus,
} from './health-status.ts'
import type { SlaReading } from './sla-window.ts'

/** Something outside the process that settlement needs, e.g. a chain's RPC endpoint. */
export interface Dependency {
  /** Key in the health reply: `xrpl`, `evm`, `lightning`. Unique; never `tigerbeetle`. */
  name: string
  /** Critical: without it the node is unhealthy and not ready. Otherwise it is degraded. */
  critical: boolean
  /** Resolves when the dependency answers. Should give up when `signal` aborts; it is not waited for any longer. */
  probe(signal: AbortSignal): Promise<void>
}

/** What the prober reads of the ledger; `Ledger` fits. */
interface ProbedLedger {
  readonly available: boolean
  readonly latencyMs: number | undefined
  probe(): Promise<void>
}

export interface HealthProberOptions {
  nodeId: string
  version: string
  /** Time between two probes of one dependency. Default 5 seconds. */
  intervalMs?: number
  /** A probe that takes longer counts as down. Default 3 seconds. */
  timeoutMs?: number
}

export interface HealthProberDeps {
  ledger: ProbedLedger
  /** Configured peers, children that dial in left out. */
  peers: () => { connected: number; total: number }
  sla: { tick(): void; read(): SlaReading }
  clock: Clock
  logger: Logger
}

const INTERVAL_MS = 5_000
const TIMEOUT_MS = 3_000
/** Engines come from the configuration; more dependencies than this is a mistake in wiring. */
const DEPENDENCIES_MAX = 32
/** The key that the operator API fixes for the ledger, whatever keeps it. */
const LEDGER = 'tigerbeetle'

interface Probed {
  dependency: Dependency
  /** Undefined until the first probe ended. */
  up: boolean | undefined
  latencyMs: number
  /** The last probe has not come back; no second one is begun. */
  busy: boolean
}

/**
 * Knows how the node is, without ever waiting for anything: dependencies are probed in the background, and every
 * answer is put together from what is in memory. `docs/health-and-metrics.md` tells the rules.
 */
export class HealthProber {
  readonly #options: Required<HealthProberOptions>
  readonly #deps: HealthProberDeps
  readonly #startedAtMs: number
  readonly #ledger: Probed
  readonly #settlement: Probed[] = []
  #phase: 'starting' | 'running' | 'draining' = 'starting'
  #fatal: string | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: HealthProberOptions, deps: HealthProberDeps) {
    this.#options = { intervalMs: INTERVAL_MS, timeoutMs: TIMEOUT_MS, ...options }
    this.#deps = deps
    this.#startedAtMs = deps.clock.now()
    const probe = () => deps.ledger.probe()
    this.#ledger = probed({ name: LEDGER, critical: true, probe })
  }

  /** Begins to probe. Does not wait for the first answers. */
  start(): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#round(), this.#options.intervalMs)
    this.#timer.unref()
    this.#round()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Adds a dependency; it counts as down until its first probe, which begins at once, has ended well. */
  register(dependency: Dependency): void {
    assert(this.#settlement.length < DEPENDENCIES_MAX, 'too many dependencies')
    const names = [LEDGER, ...this.#settlement.map((entry) => entry.dependency.name)]
    assert(!names.includes(dependency.name), `dependency "${dependency.name}" is registered already`)
    const entry = probed(dependency)
    this.#settlement.push(entry)
    if (this.#timer !== undefined) this.#begin(entry)
  }

  /** All parts have started: packets are taken from now on. */
  started(): void {
    if (this.#phase !== 'starting') return
    this.#phase = 'running'
    if (this.#timer !== undefined) this.#begin(this.#ledger)
  }

  /** No new packets are taken; the node is about to stop. */
  draining(): void {
    this.#phase = 'draining'
  }

  /** Something happened after which the node must not take value packets, e.g. a full disk. Stays until restart. */
  fatal(reason: string): void {
    this.#fatal ??= reason
  }

  health(): HealthStatus {
    const { connected, total } = this.#deps.peers()
    const head = {
      uptime: Math.max(0, Math.floor((this.#deps.clock.now() - this.#startedAtMs) / 1000)),
      peersConnected: connected,
      totalPeers: total,
      timestamp: this.#timestamp(),
      nodeId: this.#options.nodeId,
    }
    if (this.#phase === 'starting' && this.#fatal === undefined) return { status: 'starting', ...head }
    const status = this.#judge(connected, total)
    const sla = this.#deps.sla.read()
    // Nothing went through in five minutes: that is perfect for a node that is well, and no service by one that is not.
    const idleRate = status === 'unhealthy' ? 0 : 1
    return {
      status,
      ...head,
      version: this.#options.version,
      dependencies: this.#dependencies(),
      sla: {
        packetSuccessRate: sla.packets === 0 ? idleRate : sla.packetSuccessRate,
        settlementSuccessRate: sla.settlements === 0 ? idleRate : sla.settlementSuccessRate,
        p99LatencyMs: sla.p99LatencyMs,
      },
    }
  }

  readiness(): ReadinessStatus {
    const reason = this.#notReadyReason()
    const timestamp = this.#timestamp()
    if (this.#phase === 'starting' && reason !== undefined) return { status: 'not_ready', reason, timestamp }
    const dependencies = this.#dependencies()
    if (reason === undefined) return { status: 'ready', dependencies, timestamp }
    return { status: 'not_ready', dependencies, reason, timestamp }
  }

  ready(): boolean {
    return this.#notReadyReason() === undefined
  }

  startup(): StartupStatus {
    return { status: this.#phase === 'starting' ? 'starting' : 'started', timestamp: this.#timestamp() }
  }

  liveness(): LivenessStatus {
    return { status: 'alive', timestamp: this.#timestamp() }
  }

  #judge(connected: number, total: number): 'healthy' | 'degraded' | 'unhealthy' {
    if (this.#fatal !== undefined || !this.#ledgerUp()) return 'unhealthy'
    if (total > 0 && connected === 0) return 'unhealthy'
    const down = this.#settlement.filter((entry) => entry.up !== true)
    if (down.some((entry) => entry.dependency.critical)) return 'unhealthy'
    if (down.length > 0 || connected < total || this.#phase === 'draining') return 'degraded'
    return 'healthy'
  }

  #notReadyReason(): string | undefined {
    if (this.#fatal !== undefined) return this.#fatal
    if (this.#phase === 'starting') return 'starting'
    if (this.#phase === 'draining') return 'draining'
    if (!this.#ledgerUp()) return 'ledger is down'
    const down = this.#settlement.find((entry) => entry.dependency.critical && entry.up !== true)
    return down === undefined ? undefined : `${down.dependency.name} is down`
  }

  /** The ledger itself knows first when it fails; the probe adds the case that it answers nothing at all. */
  #ledgerUp(): boolean {
    return this.#deps.ledger.available && this.#ledger.up !== false
  }

  #dependencies(): DependencyStatuses {
    const latencyMs = this.#deps.ledger.latencyMs ?? this.#ledger.latencyMs
    const statuses: DependencyStatuses = { [LEDGER]: describe(this.#ledgerUp(), latencyMs) }
    for (const entry of this.#settlement) {
      statuses[entry.dependency.name] = describe(entry.up === true, entry.latencyMs)
    }
    return statuses
  }

  #round(): void {
    this.#deps.sla.tick()
    // A ledger that is still being opened has nothing to answer with.
    if (this.#phase !== 'starting') this.#begin(this.#ledger)
    for (const entry of this.#settlement) this.#begin(entry)
  }

  #begin(entry: Probed): void {
    if (entry.busy) return
    entry.busy = true
    const abort = new AbortController()
    const startedAtMs = performance.now()
    const deadline = setTimeout(() => {
      const error = new Error(`no answer in ${this.#options.timeoutMs} ms`)
      this.#ended(entry, { up: false, error })
      abort.abort(error)
    }, this.#options.timeoutMs)
    deadline.unref()
    const ended = (outcome: Outcome) => {
      entry.busy = false
      clearTimeout(deadline)
      // An answer after the deadline is too late to count: the next probe tells.
      if (!abort.signal.aborted) this.#ended(entry, outcome, performance.now() - startedAtMs)
    }
    begin(entry.dependency, abort.signal).then(
      () => ended({ up: true }),
      (error: unknown) => ended({ up: false, error }),
    )
  }

  #ended(entry: Probed, outcome: Outcome, tookMs = 0): void {
    const before = entry.up
    entry.up = outcome.up
    if (entry.up) entry.latencyMs = tookMs
    if (before === entry.up || (before === undefined && entry.up)) return
    const fields = { dependency: entry.dependency.name, critical: entry.dependency.critical }
    if (entry.up) this.#deps.logger.info('dependency is up again', fields)
    else this.#deps.logger.warn('dependency is down', { ...fields, error: outcome.error })
  }

  #timestamp(): string {
    return new Date(this.#deps.clock.now()).toISOString()
  }
}

function probed(dependency: Dependency): Probed {
  return { dependency, up: undefined, latencyMs: 0, busy: false }
}

interface Outcome {
  up: boolean
  error?: unknown
}

/** A probe that throws instead of rejecting is down as well. */
async function begin(dependency: Dependency, signal: AbortSignal): Promise<void> {
  await dependency.probe(signal)
}

function describe(up: boolean, latencyMs: number): DependencyStatus {
  return up ? { status: 'up', latencyMs: Math.max(0, Math.round(latencyMs)) } : { status: 'down' }
}
