import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openApiDocument } from '../../src/admin/openapi.ts'
import { ROUTES } from '../../src/admin/route-registry.ts'
import { ServiceError } from '../../src/admin/services.ts'
import { type Envelope, expectError } from './expect-error.ts'
import { EDGE, HUGE, SETTINGS_CANARY } from './fake-services.ts'
import { type Harness, startHarness } from './harness.ts'
import { SAMPLE_CALLS } from './sample-calls.ts'

let node: Harness

beforeEach(async () => {
  node = await startHarness()
})

afterEach(async () => {
  await node.stop()
})

async function ask(
  method: string,
  path: string,
  init: { body?: unknown; headers?: Record<string, string> } = {},
) {
  const reply = await node.call(method, path, init)
  return { reply, envelope: (await reply.json()) as Envelope }
}

describe('success', () => {
  const operations = ROUTES.filter((route) => route.kind === 'api')
  const ordered = [
    ...operations.filter(({ method }) => method !== 'DELETE'),
    ...operations.filter(({ method }) => method === 'DELETE'),
  ]

  it('has the envelope, the declared status and the declared reply for every operation', async () => {
    for (const route of ordered) {
      const name = `${route.method} ${route.path}`
      const sample = SAMPLE_CALLS[name]!
      const { reply, envelope } = await ask(
        route.method,
        sample.path,
        sample.body === undefined ? {} : { body: sample.body },
      )
      expect(reply.status, name).toBe(route.status)
      expect(envelope.success, name).toBe(true)
      expect(Number.isNaN(Date.parse(envelope.timestamp)), name).toBe(false)
      const keys = ['success', 'data', 'timestamp']
      if (route.list !== undefined) keys.splice(2, 0, 'count')
      if (route.list === 'offset' || route.list === 'cursor') keys.splice(3, 0, 'pagination')
      expect(Object.keys(envelope), name).toEqual(keys)
      expect(z.safeParse(route.reply, envelope.data).error, name).toBeUndefined()
      for (const header of ['limit', 'remaining', 'reset']) {
        expect(reply.headers.get(`x-ratelimit-${header}`), name).toMatch(/^\d+$/)
      }
    }
  })

  it('writes amounts beyond 2^53 and 2^64 as exact decimal strings', async () => {
    const { envelope } = await ask('GET', '/api/admin/accounts')
    const [alice, fx] = envelope.data as { balance: string; debitsPosted: string }[]
    expect(alice?.balance).toBe(EDGE.toString())
    expect([fx?.balance, fx?.debitsPosted]).toEqual([(-HUGE).toString(), HUGE.toString()])
    const check = await ask('GET', '/api/admin/ledger/self-check')
    expect(check.envelope.data).toMatchObject({ assets: [{ debits: HUGE.toString() }] })
  })

  it('takes amounts up to 2^64-1 in requests and refuses zero, fractions, signs and more', async () => {
    const pay = (amount: unknown) =>
      ask('POST', '/api/admin/payments', { body: { fromAccount: 'wallet', destination: 'bob', amount } })
    expect((await pay('18446744073709551615')).reply.status).toBe(202)
    const wrong = ['18446744073709551616', '0', '-1', '1.5', '1e3', '01', '', ' 1', 5, null, '9'.repeat(400)]
    for (const amount of wrong) {
      const { reply, envelope } = await pay(amount)
      expect(reply.status, String(amount)).toBe(400)
      expect(envelope.error?.details?.[0]?.field).toBe('amount')
    }
    expect(node.services.calls).toEqual(['pay 18446744073709551615'])
  })

  it('pages through a history without loss or repeat', async () => {
    for (let index = 0; index < 25; index++) {
      node.services.history.push({
        cursor: `c${index}`,
        id: `t${index}`,
        kind: 'packets',
        debitAccount: 'alice',
        creditAccount: 'bob',
        amount: HUGE,
        packetCount: 1,
        state: 'posted',
        timestampMs: 1,
      })
    }
    const seen: string[] = []
    let before: string | null = ''
    for (let page = 0; page < 10 && before !== null; page++) {
      const query: string = before === '' ? '' : `&before=${before}`
      const { envelope } = await ask('GET', `/api/admin/accounts/alice/history?limit=10${query}`)
      seen.push(...(envelope.data as { id: string }[]).map(({ id }) => id))
      before = (envelope.pagination as { nextCursor: string | null }).nextCursor
    }
    expect(seen).toEqual(node.services.history.map(({ id }) => id))
  })

  it('pages through lists by offset', async () => {
    const first = await ask('GET', '/api/admin/accounts?limit=1&offset=1')
    expect(first.envelope).toMatchObject({ count: 1, pagination: { total: 2, limit: 1, offset: 1 } })
    expect((first.envelope.data as { id: string }[])[0]?.id).toBe('fx:USD')
  })

  it('hides secrets in settings that the node forgot to hide, and keeps references', async () => {
    for (const path of ['/api/admin/peers', '/api/admin/peers/alice', '/api/admin/config']) {
      const text = await (await node.call('GET', path)).text()
      expect(text).not.toContain(SETTINGS_CANARY)
      expect(text).toMatch(/secret:(alice-token|admin-key)/)
    }
  })

  it('serves its own description', async () => {
    const reply = await node.call('GET', '/api/admin/openapi.json')
    expect(await reply.json()).toEqual(
      JSON.parse(JSON.stringify(openApiDocument(ROUTES, { version: '1.2.0' }))),
    )
  })
})

describe('request ids', () => {
  it('takes over a sane one and replaces others', async () => {
    const sent = async (id: string) =>
      (await node.call('GET', '/api/admin/node', { headers: { 'X-Request-Id': id } })).headers.get(
        'x-request-id',
      )
    expect(await sent('abc-1.2_3')).toBe('abc-1.2_3')
    for (const id of ['a b', '<script>', 'x'.repeat(65), '"'])
      expect(await sent(id)).toMatch(/^req_[0-9a-f-]{36}$/)
  })
})

describe('errors', () => {
  it('answers unknown paths with 404: in the envelope below /api, as the health endpoints elsewhere', async () => {
    for (const path of ['/api', '/api/nothing', '/api/admin', '/API/admin/nothing']) {
      await expectError(await node.call('GET', path), 'RESOURCE_NOT_FOUND')
      await expectError(await fetch(`${node.url}${path}`), 'RESOURCE_NOT_FOUND')
    }
    for (const path of ['/', '/nothing', '/%', '//api/admin/node', '/health/../apix', '/health/nothing']) {
      const reply = await fetch(`${node.url}${path}`)
      expect([path, reply.status]).toEqual([path, 404])
      expect(Object.keys((await reply.json()) as object)).toEqual(['status', 'error'])
    }
  })

  it('answers other methods with 405 and Allow', async () => {
    const reply = await node.call('PUT', '/api/admin/peers/alice')
    await expectError(reply, 'METHOD_NOT_ALLOWED')
    expect(reply.headers.get('allow')).toBe('DELETE, GET, HEAD, PATCH')
    await expectError(await node.call('OPTIONS', '/api/admin/node'), 'METHOD_NOT_ALLOWED')
  })

  it('answers HEAD as GET, without a body', async () => {
    const reply = await node.call('HEAD', '/api/admin/node')
    expect(reply.status).toBe(200)
    expect(Number(reply.headers.get('content-length'))).toBeGreaterThan(100)
    expect(await reply.text()).toBe('')
    expect((await fetch(`${node.url}/api/admin/node`, { method: 'HEAD' })).status).toBe(401)
  })

  it('names the fields of a request that are wrong and changes nothing', async () => {
    const { reply, envelope } = await ask('POST', '/api/admin/peers', {
      body: {
        id: 'bob',
        relation: 'enemy',
        asset: { code: 'USD', scale: 999 },
        link: { plugin: 'btp' },
        extra: 1,
      },
    })
    expect(reply.status).toBe(400)
    const fields = envelope.error?.details?.map(({ field }) => field)
    expect(fields).toEqual(expect.arrayContaining(['relation', 'asset.scale']))
    expect(envelope.error?.message).toContain('the request is not valid')
    const cases: [string, string, unknown][] = [
      ['PATCH', '/api/admin/peers/alice', {}],
      ['PATCH', '/api/admin/peers/alice', { id: 'other' }],
      ['PATCH', '/api/admin/peers/alice', { nonsense: 1 }],
      ['PUT', '/api/admin/log-level', { level: 'loud' }],
      ['PUT', '/api/admin/log-level', undefined],
      ['PUT', '/api/admin/routes', { prefix: 'not a prefix', peerId: 'alice' }],
      ['PUT', '/api/admin/routes', { prefix: '', peerId: 'alice', extra: true }],
      ['POST', '/api/admin/ping', { address: 'nowhere' }],
      ['POST', '/api/admin/ping', { address: 'g.a', timeoutMs: 1e9 }],
      ['POST', '/api/admin/ping', []],
      ['POST', '/api/admin/ping', 'text'],
    ]
    for (const [method, path, body] of cases) {
      const wrong = await node.call(method, path, body === undefined ? {} : { body })
      await expectError(wrong, 'VALIDATION_ERROR')
    }
    for (const path of [
      '/api/admin/peers?limit=0',
      '/api/admin/peers?limit=1&limit=2',
      '/api/admin/peers?limit=-1',
      '/api/admin/peers?limit=1e3',
      '/api/admin/peers?unknown=1',
      '/api/admin/accounts/alice/history?limit=1001',
      '/api/admin/accounts?kind=none',
      '/api/admin/peers/%00',
      '/api/admin/peers/%E0%A4%A',
      '/api/admin/routes/resolve',
    ]) {
      await expectError(await node.call('GET', path), 'VALIDATION_ERROR')
    }
    expect(node.services.calls).toEqual([])
  })

  it('gives refusals of the node their code, message and details', async () => {
    await expectError(await node.call('GET', '/api/admin/peers/nobody'), 'RESOURCE_NOT_FOUND')
    await expectError(await node.call('DELETE', '/api/admin/peers/nobody'), 'RESOURCE_NOT_FOUND')
    await expectError(await node.call('GET', '/api/admin/payments/none'), 'RESOURCE_NOT_FOUND')
    await expectError(await node.call('GET', '/api/admin/accounts/none'), 'RESOURCE_NOT_FOUND')
    await expectError(await node.call('GET', '/api/admin/accounts/none/history'), 'RESOURCE_NOT_FOUND')
    await expectError(await node.call('GET', '/api/admin/rates/quote?from=A&to=B'), 'RESOURCE_NOT_FOUND')
    await expectError(
      await node.call('POST', '/api/admin/peers', {
        body: { id: 'alice', relation: 'peer', asset: { code: 'USD', scale: 9 }, link: { plugin: 'btp' } },
      }),
      'CONFLICT',
    )
    for (const code of ['NOT_SUPPORTED', 'SERVICE_UNAVAILABLE', 'CONFLICT'] as const) {
      node.services.fault = new ServiceError(code, 'because', [{ field: 'a', message: 'b' }])
      const envelope = await expectError(await node.call('GET', '/api/admin/node'), code)
      expect(envelope.error).toEqual({ code, message: 'because', details: [{ field: 'a', message: 'b' }] })
    }
  })

  it('answers a fault with 500 and nothing internal, and logs it under the request id', async () => {
    node.services.fault = new Error('canary-internal-detail')
    const reply = await node.call('GET', '/api/admin/node', { headers: { 'X-Request-Id': 'find-me' } })
    const envelope = await expectError(reply, 'INTERNAL_SERVER_ERROR')
    expect(JSON.stringify(envelope)).not.toContain('canary')
    const line = node.lines().find((entry) => entry.includes('canary-internal-detail'))
    expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 'error', requestId: 'find-me' })
    expect(await (await fetch(`${node.url}/metrics`)).text()).toContain(
      'connector_errors_total{type="api_error",severity="critical"} 1',
    )
  })
})

describe('payments with Idempotency-Key', () => {
  const pay = (key: string, amount: string, fromAccount = 'wallet') =>
    ask('POST', '/api/admin/payments', {
      body: { fromAccount, destination: 'bob', amount },
      headers: { 'Idempotency-Key': key },
    })

  it('begin once, however often they are sent', async () => {
    const replies = await Promise.all([pay('k1', '5'), pay('k1', '5'), pay('k1', '5')])
    expect(new Set(replies.map(({ envelope }) => (envelope.data as { id: string }).id)).size).toBe(1)
    expect(node.services.calls).toEqual(['pay 5'])
    await pay('k2', '5')
    expect(node.services.calls).toEqual(['pay 5', 'pay 5'])
  })

  it('refuse a key with another body, and a malformed key', async () => {
    await pay('k1', '5')
    expect((await pay('k1', '6')).envelope.error?.code).toBe('CONFLICT')
    expect((await pay('with space', '6')).envelope.error?.code).toBe('VALIDATION_ERROR')
    expect(node.services.calls).toEqual(['pay 5'])
  })

  it('may be tried again after a refusal', async () => {
    expect((await pay('k1', '5', 'broke')).reply.status).toBe(409)
    expect((await pay('k1', '5', 'wallet')).reply.status).toBe(202)
  })
})

describe('browsers', () => {
  it('get security headers and no CORS, and the Host header is not used', async () => {
    for (const path of ['/health', '/metrics', '/api/admin/node', '/nothing']) {
      const reply = await node.call('GET', path, { headers: { Origin: 'https://evil.example' } })
      expect(reply.headers.get('x-content-type-options')).toBe('nosniff')
      expect(reply.headers.get('x-frame-options')).toBe('DENY')
      expect(reply.headers.get('cache-control')).toBe('no-store')
      expect(reply.headers.get('content-security-policy')).toContain("default-src 'none'")
      expect([...reply.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(reply.headers.get('x-powered-by')).toBeNull()
    }
    const text = await raw('GET /api/nothing HTTP/1.1\r\nHost: canary.example\r\nConnection: close\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1.1 404/)
    expect(text).not.toContain('canary.example')
  })

  it('get plain refusals for what is not HTTP', async () => {
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
    expect(await raw(`GET /health HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431/,
    )
    expect((await fetch(`${node.url}/health/live`)).status).toBe(200)
  })
})

function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(node.server.address().port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
