import { describe, expect, it } from 'vitest'
import { median } from '../../../bench/report/median.ts'

describe('median', () => {
  it('is the middle of an odd count, with both ends', () => {
    expect(median([9, 1, 10])).toEqual({ median: 9, min: 1, max: 10 })
    expect(median([5])).toEqual({ median: 5, min: 5, max: 5 })
  })

  it('is the mean of the middle two of an even count', () => {
    expect(median([4, 1, 3, 100])).toEqual({ median: 3.5, min: 1, max: 100 })
  })

  it('leaves out what could not be measured', () => {
    expect(median([Number.NaN, 2, Number.NaN])).toEqual({ median: 2, min: 2, max: 2 })
    expect(median([Number.NaN])).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN })
    expect(median([])).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN })
  })

  it('leaves its argument in order', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })
})
