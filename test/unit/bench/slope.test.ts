import { describe, expect, it } from 'vitest'
import { slope } from '../../../bench/report/slope.ts'

describe('slope', () => {
  it('finds a line without noise exactly, and no error', () => {
    const points = [0, 1, 2, 5, 9].map((x) => ({ x, y: 7 - 3 * x }))
    const found = slope(points)
    expect(found.slope).toBeCloseTo(-3, 12)
    expect(found.intercept).toBeCloseTo(7, 12)
    expect(found.standardError).toBeCloseTo(0, 12)
  })

  it('gives the standard error of the textbook', () => {
    // Residuals 0.1, -0.1, -0.1, 0.1 around y = 0.6 x + 1: error = sqrt((0.04 / 2) / 5).
    const found = slope([1.1, 1.5, 2.1, 2.9].map((y, x) => ({ x, y })))
    expect(found.slope).toBeCloseTo(0.6, 12)
    expect(found.intercept).toBeCloseTo(1, 12)
    expect(found.standardError).toBeCloseTo(Math.sqrt(0.02 / 5), 12)
  })

  it('says that two points have no error and that one has no slope', () => {
    const two = [
      { x: 0, y: 0 },
      { x: 1, y: 1 },
    ]
    expect(slope(two).slope).toBe(1)
    expect(slope(two).standardError).toBeNaN()
    expect(slope([{ x: 3, y: 4 }]).slope).toBeNaN()
    expect(slope([]).slope).toBeNaN()
  })
})
