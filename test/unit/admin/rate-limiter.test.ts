import { expect, it } from 'vitest'
import { RateLimiter } from '../../../src/admin/rate-limiter.ts'

function setUp(limit = 2) {
  const clock = { nowMs: 1_000_500, now: () => clock.nowMs }
  return { clock, limiter: new RateLimiter({ read: { limit, windowMs: 10_000 } }, clock) }
}

it('gives every caller and class a window of its own', () => {
  const { limiter } = setUp()
  expect([limiter.take('read', 'a').remaining, limiter.take('read', 'a').remaining]).toEqual([1, 0])
  expect(limiter.take('read', 'a').allowed).toBe(false)
  expect(limiter.take('read', 'b').allowed).toBe(true)
  expect(limiter.take('write', 'a').allowed).toBe(true)
})

it('does not count when it is only asked', () => {
  const { limiter } = setUp()
  for (let index = 0; index < 5; index++) expect(limiter.peek('read', 'a').remaining).toBe(2)
})

it('tells when the window ends, in whole seconds and never too early', () => {
  const { clock, limiter } = setUp()
  const first = limiter.take('read', 'a')
  expect([first.resetSeconds, first.retryAfterSeconds]).toEqual([1_011, 10])
  clock.nowMs += 9_999
  expect(limiter.take('read', 'a').retryAfterSeconds).toBe(1)
  expect(limiter.take('read', 'a').allowed).toBe(false)
  clock.nowMs += 1
  expect(limiter.take('read', 'a').allowed).toBe(true)
})

it('does not hold anybody off when the clock is set back', () => {
  const { clock, limiter } = setUp(1)
  limiter.take('read', 'a')
  clock.nowMs -= 86_400_000
  expect(limiter.take('read', 'a').allowed).toBe(true)
})

it('remembers ten thousand callers and forgets the one unseen for longest', () => {
  const { limiter } = setUp(1)
  limiter.take('read', 'first')
  for (let index = 0; index < 9_999; index++) limiter.take('read', `other ${index}`)
  expect(limiter.take('read', 'first').allowed).toBe(false)
  for (let index = 0; index < 9_999; index++) limiter.take('read', `more ${index}`)
  expect(limiter.take('read', 'first').allowed).toBe(false)
  for (let index = 0; index < 10_000; index++) limiter.take('read', `flood ${index}`)
  expect(limiter.take('read', 'first').allowed).toBe(true)
})
