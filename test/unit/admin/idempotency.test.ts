import { expect, it, vi } from 'vitest'
import { Idempotency } from '../../../src/admin/idempotency.ts'
import { ServiceError } from '../../../src/admin/services.ts'

function setUp() {
  const clock = { nowMs: 1_000, now: () => clock.nowMs }
  return { clock, idempotency: new Idempotency(clock) }
}

const request = { scope: 'ops POST /pay', key: 'k', body: { amount: 1n } }

it('runs once per caller, route and key', async () => {
  const { idempotency } = setUp()
  const work = vi.fn(async () => ({ data: 1 }))
  await Promise.all([idempotency.once(request, work), idempotency.once(request, work)])
  await idempotency.once({ ...request, scope: 'other POST /pay' }, work)
  await idempotency.once({ ...request, key: 'k2' }, work)
  expect(work).toHaveBeenCalledTimes(3)
})

it('repeats a fault, because what it did is not known, and lets a refusal be tried again', async () => {
  const { idempotency } = setUp()
  const fault = vi.fn(async () => Promise.reject(new Error('lost')))
  await expect(idempotency.once(request, fault)).rejects.toThrow('lost')
  await expect(idempotency.once(request, fault)).rejects.toThrow('lost')
  expect(fault).toHaveBeenCalledOnce()
  const refusal = vi.fn(async () => Promise.reject(new ServiceError('CONFLICT', 'no money')))
  await expect(idempotency.once({ ...request, key: 'r' }, refusal)).rejects.toThrow('no money')
  await expect(idempotency.once({ ...request, key: 'r' }, refusal)).rejects.toThrow('no money')
  expect(refusal).toHaveBeenCalledTimes(2)
})

it('forgets a key after a day', async () => {
  const { clock, idempotency } = setUp()
  const work = vi.fn(async () => ({ data: 1 }))
  await idempotency.once(request, work)
  clock.nowMs += 24 * 3_600_000
  await idempotency.once(request, work)
  expect(work).toHaveBeenCalledOnce()
  clock.nowMs += 1
  await idempotency.once(request, work)
  expect(work).toHaveBeenCalledTimes(2)
})

it('refuses new keys rather than forgetting young ones', async () => {
  const { clock, idempotency } = setUp()
  const work = async () => ({ data: 1 })
  for (let index = 0; index < 10_000; index++) await idempotency.once({ ...request, key: `k${index}` }, work)
  expect(() => idempotency.once({ ...request, key: 'new' }, work)).toThrow(/too many/)
  expect(await idempotency.once({ ...request, key: 'k0' }, work)).toEqual({ data: 1 })
  clock.nowMs += 24 * 3_600_000 + 1
  expect(await idempotency.once({ ...request, key: 'new' }, work)).toEqual({ data: 1 })
})
