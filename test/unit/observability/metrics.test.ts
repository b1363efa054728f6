import { describe, expect, it } from 'vitest'
import { createNodeStats } from '../../../src/forwarding/stats.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { SERIES_MAX } from '../../../src/observability/account-metrics.ts'
import { describeMetrics } from '../../../src/observability/describe-metrics.ts'
import { Metrics, type MetricsSources } from '../../../src/observability/metrics.ts'
import { parseScrape } from '../../contract/parse-scrape.ts'

function setUp(sources: Partial<MetricsSources> = {}) {
  const stats = createNodeStats()
  const clock = { now: () => 10_000 }
  const metrics = new Metrics(
    { version: '1', nodeId: 'n' },
    {
      sources: {
        stats,
        ledger: { available: true, latencyMs: 3 },
        accounts: () => [],
        traffic: () => [],
        peers: () => [],
        ...sources,
      },
      clock,
      logger: silentLogger,
    },
  )
  const scrape = async () => parseScrape(await metrics.expose())
  return { stats, metrics, scrape }
}

it('exposes exactly the metrics that are described, with their types and help', async () => {
  const { scrape } = setUp()
  const families = await scrape()
  const described = describeMetrics().flatMap((area) => area.metrics)
  expect([...families.keys()].sort()).toEqual(described.map(({ name }) => name).sort())
  for (const { name, type, help, labels, unit } of described) {
    expect(families.get(name), name).toMatchObject({ type, help })
    expect(unit, name).not.toBe('')
    for (const sample of families.get(name)?.samples ?? []) {
      const names = Object.keys(sample.labels).filter((label) => label !== 'le')
      expect([...labels].sort(), name).toEqual(names.sort())
    }
  }
})

describe('errors', () => {
  it('are there at zero before the first one, and add up from the packet path and other parts', async () => {
    const { stats, metrics, scrape } = setUp()
    const count = async (type: string, severity: string) =>
      (await scrape())
        .get('connector_errors_total')
        ?.samples.find((sample) => sample.labels.type === type && sample.labels.severity === severity)?.value
    expect(await count('ledger_error', 'critical')).toBe(0)
    expect((await scrape()).get('connector_last_error_timestamp')?.samples[0]?.value).toBe(0)
    stats.errors.set('ledger_error', { severity: 'critical', count: 4 })
    stats.lastErrorAtMs = 5_500
    metrics.recordError('ledger_error', 'critical')
    expect(await count('ledger_error', 'critical')).toBe(5)
    expect((await scrape()).get('connector_last_error_timestamp')?.samples[0]?.value).toBe(10)
  })

  it('never make more series than a wiring mistake deserves', async () => {
    const { metrics, scrape } = setUp()
    for (let index = 0; index < 10_000; index++) metrics.recordError(`kind ${index}`, 'warning')
    expect((await scrape()).get('connector_errors_total')?.samples.length).toBeLessThan(120)
  })
})

it('bounds the series of accounts and peers and says how many are left out', async () => {
  const total = SERIES_MAX + 7
  const accounts = Array.from({ length: total }, (_, index) => ({
    id: `p${index}`,
    assetCode: 'USD',
    balance: 0,
    creditLimit: 0,
  }))
  const { scrape } = setUp({ accounts: () => accounts })
  const families = await scrape()
  expect(families.get('account_balance_units')?.samples).toHaveLength(SERIES_MAX)
  const omitted = families.get('causeway_series_omitted')?.samples
  expect(omitted?.map(({ labels, value }) => [labels.kind, value])).toEqual([
    ['account', 7],
    ['peer', 0],
  ])
})

it('leaves out what is not known: latency of a ledger that is down, rates where there are none', async () => {
  const families = await setUp({ ledger: { available: false, latencyMs: 5 } }).scrape()
  expect(families.get('causeway_ledger_up')?.samples[0]?.value).toBe(0)
  for (const name of [
    'causeway_ledger_latency_seconds',
    'causeway_rates_stale',
    'causeway_rates_age_seconds',
  ]) {
    expect(families.get(name)?.samples).toEqual([])
  }
})

it('escapes what peers are called', async () => {
  const { scrape } = setUp({ peers: () => [{ id: 'a"b\\c\nd', connected: true, packetsInFlight: 1 }] })
  expect((await scrape()).get('causeway_peer_link_up')?.samples[0]?.labels.peer_id).toBe('a\\"b\\\\c\\nd')
})

it('makes one page for scrapes that come at the same time', async () => {
  let reads = 0
  const { metrics } = setUp({
    traffic: () => {
      reads++
      return []
    },
  })
  await Promise.all([metrics.expose(), metrics.expose(), metrics.expose()])
  expect(reads).toBe(2)
})

it('tells of each engine whether it is up, asked at every scrape', async () => {
  const { metrics, scrape } = setUp()
  const name = 'causeway_settlement_engine_up'
  expect((await scrape()).get(name)?.samples).toEqual([])
  const down = new Set(['remote'])
  metrics.settlementState.watch({
    engines: ['evm', 'remote'],
    isUp: (engine) => !down.has(engine),
    isShut: () => false,
    waiting: () => ({ open: 0, openSinceMs: undefined, suspended: 0 }),
    alarms: {},
  })
  const up = async () =>
    (await scrape()).get(name)?.samples.map(({ labels, value }) => [labels.engine, value])
  expect(await up()).toEqual([
    ['evm', 1],
    ['remote', 0],
  ])
  down.add('evm').delete('remote')
  expect(await up()).toEqual([
    ['evm', 0],
    ['remote', 1],
  ])
})
