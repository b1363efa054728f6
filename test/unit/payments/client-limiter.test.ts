import { describe, expect, it } from 'vitest'
import { ClientLimiter } from '../../../src/payments/client-limiter.ts'

describe('ClientLimiter', () => {
  const make = (nowMs = { value: 0 }) => ({
    nowMs,
    limiter: new ClientLimiter({ perSecond: 1, burst: 2 }, { clock: { now: () => nowMs.value } }),
  })

  it('lets a burst through, then the rate', () => {
    const { limiter, nowMs } = make()
    expect([limiter.take('a'), limiter.take('a'), limiter.take('a')]).toEqual([true, true, false])
    nowMs.value += 1_000
    expect([limiter.take('a'), limiter.take('a')]).toEqual([true, false])
    nowMs.value += 3_600_000
    expect([limiter.take('a'), limiter.take('a'), limiter.take('a')]).toEqual([true, true, false])
  })

  it('does not hold a clock that goes back against anybody', () => {
    const { limiter, nowMs } = make({ value: 10_000 })
    limiter.take('a')
    nowMs.value = 0
    expect(limiter.take('a')).toBe(true)
    nowMs.value = 1_000
    expect(limiter.take('a')).toBe(true)
  })

  it('counts one IPv6 network as one client', () => {
    const { limiter } = make()
    expect(limiter.take('2001:db8:1:2::1')).toBe(true)
    expect(limiter.take('2001:db8:1:2:ffff:1:2:3')).toBe(true)
    expect(limiter.take('2001:db8:1:2:a::')).toBe(false)
    expect(limiter.take('2001:db8:1:3::1')).toBe(true)
    expect(limiter.take('::ffff:10.0.0.1')).toBe(true)
    expect(limiter.take('::ffff:10.0.0.2')).toBe(true)
  })

  it('forgets those seen longest ago when there are too many', () => {
    const { limiter } = make()
    limiter.take('first')
    limiter.take('first')
    expect(limiter.take('first')).toBe(false)
    for (let i = 0; i < 10_000; i++) limiter.take(`other${i}`)
    expect(limiter.take('first')).toBe(true)
  })
})
