import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Idempotency } from '../../../src/admin/idempotency.ts'
import { ServiceError } from '../../../src/admin/services.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { RequestKeys } from '../../../src/store/request-keys.ts'
import { Store } from '../../../src/store/store.ts'

const DAY_MS = 24 * 3_600_000
const request = { scope: 'ops POST /pay', key: 'k', body: { amount: 1n } }

let directory: string
let store: Store
let nowMs: number
let idempotency: Idempotency

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-keys-'))
  store = new Store(join(directory, 'node.sqlite'))
  nowMs = 1_000
  start()
})
afterEach(() => {
  store.stop()
  rmSync(directory, { recursive: true })
})

function start(): void {
  store.start()
  const keys = new RequestKeys(store)
  idempotency = new Idempotency({ keys, clock: { now: () => nowMs }, logger: silentLogger })
}

function restart(): void {
  store.stop()
  start()
}

it('runs once per caller, route and key', async () => {
  const work = vi.fn(async () => ({ data: 1 }))
  await Promise.all([idempotency.once(request, work), idempotency.once(request, work)])
  await idempotency.once({ ...request, scope: 'other POST /pay' }, work)
  await idempotency.once({ ...request, key: 'k2' }, work)
  expect(work).toHaveBeenCalledTimes(3)
})

it('gives the first reply again after a restart, and refuses another body', async () => {
  const again = vi.fn(async () => ({ data: 2 }))
  await idempotency.once(request, async () => ({ data: { amount: 12n }, count: 1 }))
  restart()
  expect(await idempotency.once(request, again)).toEqual({ data: { amount: '12' }, count: 1 })
  await expect(idempotency.once({ ...request, body: { amount: 2n } }, again)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('another body') as string,
  })
  expect(again).not.toHaveBeenCalled()
})

it('begins nothing anew when the process ended before there was a reply', async () => {
  void idempotency.once(request, () => new Promise(() => undefined))
  restart()
  const again = vi.fn(async () => ({ data: 2 }))
  await expect(idempotency.once(request, again)).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  })
  expect(again).not.toHaveBeenCalled()
})

it('begins nothing anew after a fault, because what it did is not known', async () => {
  const fault = vi.fn(async () => Promise.reject(new Error('lost')))
  await expect(idempotency.once(request, fault)).rejects.toThrow('lost')
  await expect(idempotency.once(request, fault)).rejects.toThrow('outcome is not known')
  expect(fault).toHaveBeenCalledOnce()
})

it('lets a refusal be tried again', async () => {
  const refusal = vi.fn(async () => Promise.reject(new ServiceError('CONFLICT', 'no money')))
  await expect(idempotency.once(request, refusal)).rejects.toThrow('no money')
  await expect(idempotency.once(request, refusal)).rejects.toThrow('no money')
  expect(refusal).toHaveBeenCalledTimes(2)
})

it('begins nothing when the key cannot be stored', async () => {
  const work = vi.fn(async () => ({ data: 1 }))
  store.stop()
  await expect(idempotency.once(request, work)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  expect(work).not.toHaveBeenCalled()
  start()
  expect(await idempotency.once(request, work)).toEqual({ data: 1 })
})

it('tells the outcome though it cannot be stored, and then begins nothing anew', async () => {
  const work = async () => {
    store.stop()
    return { data: 1 }
  }
  expect(await idempotency.once(request, work)).toEqual({ data: 1 })
  start()
  await expect(idempotency.once(request, work)).rejects.toThrow('outcome is not known')
})

it('forgets a key after a day', async () => {
  const work = vi.fn(async () => ({ data: 1 }))
  await idempotency.once(request, work)
  nowMs += DAY_MS
  await idempotency.once(request, work)
  expect(work).toHaveBeenCalledOnce()
  nowMs += 1
  await idempotency.once(request, work)
  expect(work).toHaveBeenCalledTimes(2)
})

it('refuses new keys rather than forgetting young ones', async () => {
  const work = async () => ({ data: 1 })
  await idempotency.once(request, work)
  store.database.exec(
    `WITH RECURSIVE n (at) AS (SELECT 2 UNION ALL SELECT at + 1 FROM n WHERE at < 100000)
     INSERT INTO request_keys (id, body_hash, created_ms) SELECT 'ops POST /pay ' || at, '', 1000 FROM n`,
  )
  await expect(idempotency.once({ ...request, key: 'new' }, work)).rejects.toThrow(/too many/)
  expect(await idempotency.once(request, work)).toEqual({ data: 1 })
  nowMs += DAY_MS + 1
  expect(await idempotency.once({ ...request, key: 'new' }, work)).toEqual({ data: 1 })
})
