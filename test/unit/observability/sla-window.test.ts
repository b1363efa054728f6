import { describe, expect, it } from 'vitest'
import { createNodeStats } from '../../../src/forwarding/stats.ts'
import { SlaWindow } from '../../../src/observability/sla-window.ts'

function setUp() {
  const clock = { nowMs: Date.parse('2026-01-01T00:00:00Z'), now: () => clock.nowMs }
  const stats = createNodeStats()
  const settlements = { succeeded: 0, failed: 0 }
  const sla = new SlaWindow({ stats, settlements, clock })
  const raise = (code: string, count: number) => {
    stats.raisedByCode.set(code, (stats.raisedByCode.get(code) ?? 0) + count)
    stats.rejects += count
  }
  return { clock, stats, settlements, sla, raise }
}

describe('packet success rate', () => {
  it('is 1 while nothing happened', () => {
    expect(setUp().sla.read()).toEqual({
      packetSuccessRate: 1,
      settlementSuccessRate: 1,
      p99LatencyMs: 0,
      packets: 0,
      settlements: 0,
    })
  })

  it('counts fulfills, relayed rejects and rejects of wrong or unaffordable packets as success', () => {
    const { stats, sla, raise } = setUp()
    stats.fulfills += 90
    stats.rejects += 5
    for (const code of ['F00', 'F02', 'F08', 'R01', 'R02', 'T04', 'T05']) raise(code, 1)
    expect(sla.read()).toMatchObject({ packetSuccessRate: 1, packets: 102 })
  })

  it.each(['T00', 'T01', 'T02', 'T03', 'R00'])('counts a %s that this node raised as failure', (code) => {
    const { stats, sla, raise } = setUp()
    stats.fulfills += 9_995
    raise(code, 5)
    expect(sla.read().packetSuccessRate).toBe(0.9995)
  })

  it('is never rounded up to 1 while something failed', () => {
    const { stats, sla, raise } = setUp()
    stats.fulfills += 10_000_000
    raise('T00', 1)
    expect(sla.read().packetSuccessRate).toBe(0.9999)
  })

  it('forgets what is older than five minutes, and not sooner', () => {
    const { clock, sla, raise } = setUp()
    raise('T00', 1)
    sla.tick()
    clock.nowMs += 290_000
    expect(sla.read()).toMatchObject({ packetSuccessRate: 0, packets: 1 })
    clock.nowMs += 15_000
    expect(sla.read()).toMatchObject({ packetSuccessRate: 1, packets: 0 })
  })

  it('sums up the whole window over many ticks', () => {
    const { clock, stats, sla } = setUp()
    for (let second = 0; second < 1_000; second++) {
      clock.nowMs += 1_000
      stats.fulfills += 1
      sla.tick()
    }
    const { packets } = sla.read()
    expect(packets).toBeGreaterThan(294)
    expect(packets).toBeLessThanOrEqual(300)
  })

  it('survives a clock that is set back or far ahead', () => {
    const { clock, stats, sla } = setUp()
    stats.fulfills += 1
    sla.tick()
    clock.nowMs -= 20_000
    stats.fulfills += 1
    expect(sla.read().packets).toBe(2)
    clock.nowMs -= 86_400_000
    stats.fulfills += 1
    expect(sla.read().packets).toBe(1)
    clock.nowMs += 400 * 86_400_000
    expect(sla.read().packets).toBe(0)
    stats.fulfills += 1
    expect(sla.read().packets).toBe(1)
  })

  it('does not count what happened before it was made', () => {
    const stats = { ...createNodeStats(), fulfills: 100 }
    const sla = new SlaWindow({ stats, settlements: { succeeded: 3, failed: 1 }, clock: { now: () => 1 } })
    expect(sla.read()).toMatchObject({ packets: 0, settlements: 0 })
  })
})

describe('settlement success rate', () => {
  it('is the share of settlements that ended well', () => {
    const { settlements, sla } = setUp()
    settlements.succeeded += 99
    settlements.failed += 1
    expect(sla.read()).toMatchObject({ settlementSuccessRate: 0.99, settlements: 100 })
  })
})

describe('p99 latency', () => {
  it('interpolates inside the bucket', () => {
    const { stats, sla } = setUp()
    // 98 within 5 ms, 2 within 10 ms: the 99th of 100 lies in the middle of 5 to 10 ms.
    stats.latencyCounts.set([0, 98, 2])
    expect(sla.read().p99LatencyMs).toBe(7.5)
  })

  it('is the last bound for what lies beyond it', () => {
    const { stats, sla } = setUp()
    stats.latencyCounts.set([0, 0, 0, 0, 0, 0, 0, 10])
    expect(sla.read().p99LatencyMs).toBe(1_000)
  })

  it('lies within its bucket for one observation in each bucket', () => {
    const bounds = [0, 1, 5, 10, 50, 100, 500, 1_000]
    for (let bucket = 0; bucket < 7; bucket++) {
      const { stats, sla } = setUp()
      stats.latencyCounts[bucket] = 1
      const { p99LatencyMs } = sla.read()
      expect(p99LatencyMs).toBeGreaterThan(bounds[bucket] as number)
      expect(p99LatencyMs).toBeLessThanOrEqual(bounds[bucket + 1] as number)
    }
  })
})
