import { describe, expect, it } from 'vitest'
import { LatencyHistogram } from '../../../bench/load/latency-histogram.ts'

describe('LatencyHistogram', () => {
  it('tells quantiles within 1 % over the whole range', () => {
    const histogram = new LatencyHistogram()
    const values = Array.from({ length: 10_000 }, (_, index) => 0.01 * 1.0017 ** index).filter(
      (ms) => ms < 200_000,
    )
    for (const value of values) histogram.add(value)
    for (const share of [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = values[Math.max(1, Math.ceil(share * values.length)) - 1]!
      expect(Math.abs(histogram.quantileMs(share) - exact) / exact).toBeLessThan(0.01)
    }
    expect(histogram.count).toBe(values.length)
    expect(histogram.maxMs).toBe(values.at(-1))
  })

  it('finds every value up to 16 us at an eighth of a microsecond', () => {
    for (let units = 0; units < 128; units++) {
      const histogram = new LatencyHistogram()
      histogram.add(units / 8_000)
      histogram.add(1)
      expect(histogram.quantileMs(0.5)).toBeCloseTo(units / 8_000, 9)
    }
  })

  it('counts what is below zero as zero and what is beyond its range at its end', () => {
    const histogram = new LatencyHistogram()
    histogram.add(-1)
    expect(histogram.quantileMs(1)).toBe(0)
    histogram.add(1e9)
    expect(histogram.quantileMs(1)).toBeGreaterThan(260_000)
    expect(histogram.maxMs).toBe(1e9)
  })

  it('has no quantiles when it is empty or cleared', () => {
    const histogram = new LatencyHistogram()
    expect(histogram.quantileMs(0.5)).toBeNaN()
    histogram.add(3)
    histogram.clear()
    expect(histogram.quantileMs(0.5)).toBeNaN()
    expect(histogram.maxMs).toBe(0)
    expect(histogram.count).toBe(0)
  })
})
