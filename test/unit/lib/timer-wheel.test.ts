import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TimerWheel } from '../../../src/lib/timer-wheel.ts'

const TICK_MS = 10

function makeWheel(capacity: number, startMs = 0) {
  const state = { nowMs: startMs, fired: [] as number[] }
  const wheel = new TimerWheel(
    { capacity },
    { now: () => state.nowMs, expired: (entry) => state.fired.push(entry) },
  )
  return { wheel, state }
}

describe('TimerWheel', () => {
  it('fires every entry once, never early, at most a tick late, whatever is scheduled and cancelled', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('schedule' as const),
        entry: fc.nat(15),
        inMs: fc.integer({ min: -50, max: 100_000 }),
      }),
      fc.record({ kind: fc.constant('cancel' as const), entry: fc.nat(15) }),
      fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat(60_000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat(1_000_000), (steps, startMs) => {
        const { wheel, state } = makeWheel(16, startMs)
        const due = new Map<number, number>()
        for (const each of steps) {
          if (each.kind === 'schedule' && !due.has(each.entry)) {
            due.set(each.entry, state.nowMs + each.inMs)
            wheel.schedule(each.entry, state.nowMs + each.inMs)
          } else if (each.kind === 'cancel') {
            due.delete(each.entry)
            wheel.cancel(each.entry)
          } else if (each.kind === 'advance') {
            const before = state.nowMs
            state.nowMs += each.byMs
            state.fired.length = 0
            wheel.advance()
            for (const entry of state.fired) {
              expect(due.get(entry)).toBeLessThanOrEqual(state.nowMs)
              due.delete(entry)
            }
            // A deadline of the past fires with the tick after it was scheduled.
            for (const deadline of due.values())
              expect(Math.max(deadline, before)).toBeGreaterThan(state.nowMs - 2 * TICK_MS)
          }
          expect(wheel.size).toBe(due.size)
        }
        wheel.stop()
      }),
    )
  })

  it('takes entries back that the callback schedules again', () => {
    let nowMs = 0
    let left = 3
    const wheel: TimerWheel = new TimerWheel(
      { capacity: 1 },
      {
        now: () => nowMs,
        expired: (entry) => {
          if (--left > 0) wheel.schedule(entry, nowMs + 100)
        },
      },
    )
    wheel.schedule(0, 50)
    for (; nowMs <= 1_000; nowMs += TICK_MS) wheel.advance()
    expect([left, wheel.size]).toEqual([0, 0])
    wheel.stop()
  })
})
