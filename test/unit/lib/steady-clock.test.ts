import { describe, expect, it } from 'vitest'
import { SteadyClock } from '../../../src/lib/steady-clock.ts'

describe('a steady clock', () => {
  it('goes with the wall clock, and goes on when that is set back', () => {
    let wallMs = 1_000
    const clock = new SteadyClock({ floorMs: 0 }, { clock: { now: () => wallMs } })
    const at = (ms: number) => {
      wallMs = ms
      return clock.now()
    }
    expect([1_000, 1_500, 9_000].map(at)).toEqual([1_000, 1_500, 9_000])
    expect([2_000, 2_700].map(at)).toEqual([9_000, 9_700])
    expect([2_600, 3_000].map(at)).toEqual([9_700, 10_100])
  })

  it('begins after all that is in the books', () => {
    let wallMs = 1_000
    const clock = new SteadyClock({ floorMs: 5_000 }, { clock: { now: () => wallMs } })
    expect(clock.now()).toBe(5_000)
    wallMs = 1_250
    expect(clock.now()).toBe(5_250)
  })
})
