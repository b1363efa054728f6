import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AdminServer } from '../../../src/admin/admin-server.ts'
import { type ApiRoute, route } from '../../../src/admin/route.ts'
import { checkRoutes, ROUTES } from '../../../src/admin/route-registry.ts'
import { type Harness, startHarness } from '../../contract/harness.ts'

let node: Harness | undefined
const servers: AdminServer[] = []

afterEach(async () => {
  await node?.stop()
  node = undefined
  for (const server of servers.splice(0)) await server.stop()
})

/** A server of its own with one slow operation, beside the harness whose parts it shares. */
async function startWith(
  routes: ApiRoute[],
  port = 0,
): Promise<{ server: AdminServer; url: string; harness: Harness }> {
  node ??= await startHarness()
  const { services, prober, metrics, keys, clock } = node
  const { silentLogger: logger } = await import('../../../src/lib/logger.ts')
  const server = new AdminServer(
    { host: '127.0.0.1', port, keys: [node.key], trustProxy: false, version: '1' },
    { services, prober, metrics, keys, clock, logger, routes },
  )
  servers.push(server)
  await server.start()
  return { server, url: `http://127.0.0.1:${server.address().port}`, harness: node }
}

function slow(work: () => Promise<void>, deadlineMs: number, method: 'GET' | 'POST' = 'GET'): ApiRoute {
  return route({
    method,
    path: '/api/slow',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Slow.',
    reply: z.null(),
    deadlineMs,
    handler: async () => {
      await work()
      return { data: null }
    },
  })
}

describe('start', () => {
  it('tells what to do when the port is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    await expect(startWith([], port)).rejects.toThrow(
      /the port is taken; set admin\.port .* HEALTH_CHECK_PORT/,
    )
    await new Promise((resolve) => other.close(resolve))
  })
})

describe('a handler that does not answer', () => {
  it('costs its caller a 503 at the deadline, and nobody else anything', async () => {
    const { url, harness } = await startWith([slow(() => new Promise(() => undefined), 50)])
    const headers = { Authorization: `Bearer ${await harness.token()}` }
    const reply = await fetch(`${url}/api/slow`, { headers })
    expect(reply.status).toBe(503)
    expect(await reply.json()).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE' } })
    expect((await fetch(`${url}/api/slow`)).status).toBe(401)
  })

  it('is told as unknown where it may have changed something', async () => {
    const { url, harness } = await startWith([slow(() => new Promise(() => undefined), 50, 'POST')])
    const headers = { Authorization: `Bearer ${await harness.token()}` }
    const reply = await fetch(`${url}/api/slow`, { method: 'POST', headers })
    expect(reply.status).toBe(504)
    expect(await reply.json()).toMatchObject({ error: { code: 'OUTCOME_UNKNOWN' } })
  })
})

describe('stop', () => {
  it('lets a request under way end, and refuses new ones', async () => {
    let finish: (() => void) | undefined
    const begun = Promise.withResolvers<void>()
    const work = () =>
      new Promise<void>((resolve) => {
        finish = resolve
        begun.resolve()
      })
    const { url, server, harness } = await startWith([slow(work, 5_000)])
    const asked = fetch(`${url}/api/slow`, { headers: { Authorization: `Bearer ${await harness.token()}` } })
    await begun.promise
    const stopped = server.stop()
    await expect(fetch(`${url}/health`)).rejects.toThrow()
    finish?.()
    expect((await asked).status).toBe(200)
    await stopped
    await server.stop()
  })

  it('is bounded when a client never ends its request', async () => {
    const { server } = await startWith([])
    const socket = connect(server.address().port, '127.0.0.1')
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
    socket.write('GET /health HTTP/1.1\r\n')
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => undefined)
    await server.stop()
    await closed
  })
})

describe('the registry', () => {
  it('holds together', () => {
    expect(() => checkRoutes(ROUTES)).not.toThrow()
  })

  it('refuses a route twice, an open route below /api and a guarded one elsewhere', () => {
    const good = slow(async () => undefined, 1)
    expect(() => checkRoutes([good, good])).toThrow(/declared twice/)
    expect(() => checkRoutes([{ ...good, path: '/slow' }])).toThrow(/scopes are for paths below/)
    const [health] = ROUTES
    expect(health?.kind).toBe('page')
    if (health?.kind !== 'page') return
    expect(() => checkRoutes([{ ...health, path: '/api/health' }])).toThrow(/scopes are for paths below/)
    expect(() => checkRoutes([{ ...health, path: '/api/health', scope: 'admin:read' }])).toThrow(/rate limit/)
  })
})
