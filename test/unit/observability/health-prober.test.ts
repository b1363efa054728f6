import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../../src/lib/logger.ts'
import { HealthProber } from '../../../src/observability/health-prober.ts'

const IDLE = { packetSuccessRate: 1, settlementSuccessRate: 1, p99LatencyMs: 0, packets: 0, settlements: 0 }

function setUp() {
  const clock = { nowMs: 1_000, now: () => clock.nowMs }
  const ledger = { available: true, latencyMs: 2 as number | undefined, probe: vi.fn(async () => undefined) }
  const peers = { connected: 0, total: 0 }
  const sla = { tick: vi.fn(), read: () => IDLE }
  const warn = vi.fn()
  const prober = new HealthProber(
    { nodeId: 'n', version: '1', intervalMs: 1_000, timeoutMs: 300 },
    { ledger, peers: () => peers, sla, clock, logger: { ...silentLogger, warn } },
  )
  return { clock, ledger, peers, sla, warn, prober }
}

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe('health', () => {
  it('is starting until told otherwise, with no dependencies and no service levels', () => {
    const { prober, clock } = setUp()
    clock.nowMs += 5_999
    expect(prober.health()).toEqual({
      status: 'starting',
      uptime: 5,
      peersConnected: 0,
      totalPeers: 0,
      timestamp: new Date(6_999).toISOString(),
      nodeId: 'n',
    })
  })

  it.each([
    { connected: 0, total: 0, expected: 'healthy' },
    { connected: 3, total: 3, expected: 'healthy' },
    { connected: 1, total: 3, expected: 'degraded' },
    { connected: 0, total: 3, expected: 'unhealthy' },
  ])('is $expected with $connected of $total peers', ({ connected, total, expected }) => {
    const { prober, peers } = setUp()
    Object.assign(peers, { connected, total })
    prober.started()
    expect(prober.health().status).toBe(expected)
    expect(prober.readiness().status).toBe('ready')
  })

  it('is unhealthy the moment the ledger says so, without waiting for a probe', () => {
    const { prober, ledger } = setUp()
    prober.started()
    expect(prober.health()).toMatchObject({
      status: 'healthy',
      dependencies: { tigerbeetle: { status: 'up', latencyMs: 2 } },
    })
    ledger.available = false
    expect(prober.health()).toMatchObject({
      status: 'unhealthy',
      dependencies: { tigerbeetle: { status: 'down' } },
    })
    expect(prober.readiness()).toMatchObject({ status: 'not_ready', reason: 'ledger is down' })
    ledger.available = true
    expect(prober.ready()).toBe(true)
  })

  it('is unhealthy for good after a fatal fault', () => {
    const { prober } = setUp()
    prober.started()
    prober.fatal('disk full')
    prober.fatal('second')
    expect(prober.health().status).toBe('unhealthy')
    expect(prober.readiness()).toMatchObject({ status: 'not_ready', reason: 'disk full' })
  })

  it('is degraded while draining, and not ready', () => {
    const { prober } = setUp()
    prober.started()
    prober.draining()
    expect(prober.health().status).toBe('degraded')
    expect(prober.readiness()).toMatchObject({ status: 'not_ready', reason: 'draining' })
    expect(prober.startup().status).toBe('started')
  })

  it.each([
    { critical: true, status: 'unhealthy', ready: false },
    { critical: false, status: 'degraded', ready: true },
  ])('is $status when a dependency with critical $critical is down', async ({ critical, status, ready }) => {
    const { prober, warn } = setUp()
    let works = true
    const probe = async () => {
      if (!works) await Promise.reject(undefined)
    }
    prober.started()
    prober.start()
    prober.register({ name: 'evm', critical, probe })
    await vi.advanceTimersByTimeAsync(0)
    expect([prober.health().status, prober.ready()]).toEqual(['healthy', true])
    works = false
    await vi.advanceTimersByTimeAsync(1_000)
    expect([prober.health().status, prober.ready()]).toEqual([status, ready])
    expect(prober.health().dependencies).toMatchObject({ evm: { status: 'down' } })
    expect(warn).toHaveBeenCalledOnce()
    works = true
    await vi.advanceTimersByTimeAsync(1_000)
    expect(prober.health().status).toBe('healthy')
    prober.stop()
  })

  it('does not call a dependency up before it has answered once', async () => {
    const { prober } = setUp()
    prober.started()
    prober.register({ name: 'xrpl', critical: false, probe: async () => undefined })
    expect(prober.health()).toMatchObject({ status: 'degraded', dependencies: { xrpl: { status: 'down' } } })
  })
})

describe('probing', () => {
  it('gives a hanging probe up, aborts it, and begins no second one until it has ended', async () => {
    const { prober } = setUp()
    const signals: AbortSignal[] = []
    let answer: (() => void) | undefined
    const probe = (signal: AbortSignal) => {
      signals.push(signal)
      return new Promise<void>((resolve) => {
        answer = resolve
      })
    }
    prober.started()
    prober.start()
    prober.register({ name: 'lightning', critical: true, probe })
    await vi.advanceTimersByTimeAsync(300)
    expect(signals[0]?.aborted).toBe(true)
    expect(prober.readiness()).toMatchObject({ status: 'not_ready', reason: 'lightning is down' })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(signals).toHaveLength(1)
    answer?.()
    // The next round begins at 6 s.
    await vi.advanceTimersByTimeAsync(800)
    expect(signals).toHaveLength(2)
    answer?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(prober.ready()).toBe(true)
    prober.stop()
  })

  it('calls a ledger down whose probe hangs, though it says that it is available', async () => {
    const { prober, ledger } = setUp()
    ledger.probe.mockImplementation(() => new Promise(() => undefined))
    prober.started()
    prober.start()
    await vi.advanceTimersByTimeAsync(300)
    expect(prober.health()).toMatchObject({
      status: 'unhealthy',
      dependencies: { tigerbeetle: { status: 'down' } },
    })
    prober.stop()
  })

  it('leaves the ledger alone while it is being opened, and trusts it once all parts have started', async () => {
    const { prober, ledger, warn } = setUp()
    ledger.available = false
    prober.start()
    await vi.advanceTimersByTimeAsync(2_500)
    expect(ledger.probe).not.toHaveBeenCalled()
    ledger.available = true
    prober.started()
    expect(prober.ready()).toBe(true)
    expect(ledger.probe).toHaveBeenCalledOnce()
    expect(warn).not.toHaveBeenCalled()
    prober.stop()
  })

  it('survives a probe that throws at once', async () => {
    const { prober } = setUp()
    prober.started()
    prober.start()
    const probe = () => {
      throw new Error('broken')
    }
    prober.register({ name: 'evm', critical: false, probe })
    await vi.advanceTimersByTimeAsync(0)
    expect(prober.health().status).toBe('degraded')
    prober.stop()
  })

  it('ticks the service levels, and stops when told', async () => {
    const { prober, sla, ledger } = setUp()
    prober.started()
    prober.start()
    prober.start()
    await vi.advanceTimersByTimeAsync(3_000)
    expect(sla.tick).toHaveBeenCalledTimes(4)
    prober.stop()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(ledger.probe).toHaveBeenCalledTimes(4)
  })

  it('refuses a dependency twice and the name of the ledger', () => {
    const { prober } = setUp()
    const dependency = { name: 'evm', critical: false, probe: async () => undefined }
    prober.register(dependency)
    expect(() => prober.register(dependency)).toThrow(/registered already/)
    expect(() => prober.register({ ...dependency, name: 'tigerbeetle' })).toThrow(/registered already/)
  })
})

it('readiness while starting tells only that', () => {
  const { prober } = setUp()
  expect(Object.keys(prober.readiness())).toEqual(['status', 'reason', 'timestamp'])
})
