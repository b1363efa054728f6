import type { Registry } from 'prom-client'
import type { Clock } from '../lib/clock.ts'
import type { MetricDefinition, Sample } from './metric-definition.ts'
import { scrapeSamples } from './scraped-metric.ts'

export const SETTLEMENT_STATE_METRICS = {
  up: {
    name: 'causeway_settlement_engine_up',
    type: 'gauge',
    help: 'Whether the engine runs and can do its work: 1, or 0',
    labels: ['engine'],
    unit: '0 or 1',
  },
  open: {
    name: 'causeway_settlements_open',
    type: 'gauge',
    help: 'Outgoing settlements that have not ended',
    labels: ['engine'],
    unit: 'settlements',
  },
  oldestOpen: {
    name: 'causeway_settlement_oldest_open_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest outgoing settlement that has not ended; 0 when there is none',
    labels: ['engine'],
    unit: 'seconds',
  },
  suspense: {
    name: 'causeway_settlement_suspense_credits',
    type: 'gauge',
    help: 'Incoming settlements in SUSPENSE, to be attributed by an operator',
    labels: ['engine'],
    unit: 'credits',
  },
  difference: {
    name: 'causeway_settlement_difference',
    type: 'gauge',
    help: 'Sum by which ledger, journal and engine disagree at the last reconciliation; absent before the first',
    labels: ['engine', 'token'],
    unit: 'smallest units of the accounts',
  },
  unchecked: {
    name: 'causeway_settlement_unchecked_accounts',
    type: 'gauge',
    help: 'Accounts of which the last reconciliation knows nothing, since their engine gave no answer',
    labels: ['engine'],
    unit: 'accounts',
  },
  engineAlarms: {
    name: 'causeway_settlement_engine_alarms_total',
    type: 'counter',
    help: 'Faults that an engine raised for operators',
    labels: ['engine', 'alarm'],
    unit: 'alarms',
  },
  refusedMessages: {
    name: 'causeway_settlement_messages_refused_total',
    type: 'counter',
    help: 'Settlement messages of peers that an engine refused, by its code',
    labels: ['engine', 'code'],
    unit: 'messages',
  },
  shut: {
    name: 'causeway_settlement_engine_shut',
    type: 'gauge',
    help: '1 while nothing is planned or handed over by the engine: ledger and journal do not agree, or were not compared yet',
    labels: ['engine'],
    unit: 'boolean',
  },
  alarms: {
    name: 'causeway_settlement_alarms_total',
    type: 'counter',
    help: 'Settlement faults that an operator must see to',
    labels: ['alarm'],
    unit: 'alarms',
  },
} as const satisfies Record<string, MetricDefinition>

/** Settlements of one engine that wait for something. */
export interface WaitingSettlements {
  open: number
  /** When the oldest open one was planned, milliseconds since the epoch. */
  openSinceMs: number | undefined
  suspended: number
}

export interface SettlementState {
  engines: readonly string[]
  /** Whether it runs, and knows of no trouble. Cheap, as all below: asked at every scrape. */
  isUp(engine: string): boolean
  waiting(engine: string): WaitingSettlements
  /** Whether nothing is planned or handed over by the engine. */
  isShut(engine: string): boolean
  /** Alarms since start, by kind. */
  alarms: Readonly<Record<string, number>>
}

/** Codes are constants of our engines, but a foreign engine passes on its own: beyond this nothing new is counted. */
const CODES_MAX = 200

/** How settlement stands, read when Prometheus asks. */
export class SettlementStateMetrics {
  readonly #differences = new Map<string, Sample>()
  readonly #unchecked = new Map<string, Sample>()
  readonly #engineAlarms = new Map<string, Sample>()
  readonly #refusedMessages = new Map<string, Sample>()
  #state: SettlementState | undefined

  constructor(registry: Registry, deps: { clock: Clock; onError: (error: unknown) => void }) {
    const { clock, onError } = deps
    const add = (definition: MetricDefinition, read: () => Iterable<Sample>) =>
      scrapeSamples(registry, definition, read, onError)
    const everyEngine = (value: (engine: string, state: SettlementState) => number) => () =>
      (this.#state?.engines ?? []).map((engine) => ({
        labels: { engine },
        value: value(engine, this.#state!),
      }))
    const perEngine = (value: (waiting: WaitingSettlements) => number) =>
      everyEngine((engine, state) => value(state.waiting(engine)))
    add(
      SETTLEMENT_STATE_METRICS.up,
      everyEngine((engine, state) => (state.isUp(engine) ? 1 : 0)),
    )
    add(
      SETTLEMENT_STATE_METRICS.open,
      perEngine(({ open }) => open),
    )
    add(
      SETTLEMENT_STATE_METRICS.oldestOpen,
      perEngine(({ openSinceMs }) =>
        openSinceMs === undefined ? 0 : Math.max(0, clock.now() - openSinceMs) / 1000,
      ),
    )
    add(
      SETTLEMENT_STATE_METRICS.suspense,
      perEngine(({ suspended }) => suspended),
    )
    add(SETTLEMENT_STATE_METRICS.shut, () =>
      (this.#state?.engines ?? []).map((engine) => ({
        labels: { engine },
        value: this.#state!.isShut(engine) ? 1 : 0,
      })),
    )
    add(SETTLEMENT_STATE_METRICS.difference, () => this.#differences.values())
    add(SETTLEMENT_STATE_METRICS.unchecked, () => this.#unchecked.values())
    add(SETTLEMENT_STATE_METRICS.engineAlarms, () => this.#engineAlarms.values())
    add(SETTLEMENT_STATE_METRICS.refusedMessages, () => this.#refusedMessages.values())
    add(SETTLEMENT_STATE_METRICS.alarms, () =>
      Object.entries(this.#state?.alarms ?? {}).map(([alarm, value]) => ({ labels: { alarm }, value })),
    )
  }

  /** From now on `state` is read; before that there are no series. */
  watch(state: SettlementState): void {
    this.#state = state
  }

  /** Engines and assets come from the configuration: the number of series is bounded. */
  setDifference(engine: string, token: string, amount: bigint): void {
    this.#differences.set(`${engine} ${token}`, { labels: { engine, token }, value: Number(amount) })
  }

  setUnchecked(engine: string, accounts: number): void {
    this.#unchecked.set(engine, { labels: { engine }, value: accounts })
  }

  engineAlarm(engine: string, alarm: string): void {
    count(this.#engineAlarms, { engine, alarm })
  }

  messageRefused(engine: string, code: string): void {
    count(this.#refusedMessages, { engine, code })
  }
}

function count(samples: Map<string, Sample>, labels: Record<string, string>): void {
  const key = Object.values(labels).join(' ')
  const sample = samples.get(key)
  if (sample !== undefined) sample.value++
  else if (samples.size < CODES_MAX) samples.set(key, { labels, value: 1 })
}
