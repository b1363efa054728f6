import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RATE_CLASSES } from '../../src/admin/rate-limiter.ts'
import { expectError } from './expect-error.ts'
import { type Harness, startHarness } from './harness.ts'

let node: Harness

beforeEach(async () => {
  node = await startHarness()
})

afterEach(async () => {
  await node.stop()
})

describe('bodies', () => {
  const send = async (body: string | Uint8Array<ArrayBuffer>, type = 'application/json') =>
    await fetch(`${node.url}/api/admin/log-level`, {
      method: 'PUT',
      body,
      headers: { Authorization: `Bearer ${await node.token()}`, 'Content-Type': type },
    })

  it('takes JSON in UTF-8 only', async () => {
    expect((await send('{"level":"warn"}', 'application/json; charset=utf-8')).status).toBe(200)
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=utf-16',
      '',
    ]) {
      await expectError(await send('{"level":"warn"}', type), 'UNSUPPORTED_MEDIA_TYPE')
    }
  })

  it('refuses what is not JSON, not UTF-8, nested too deeply or reaches for prototypes', async () => {
    await expectError(await send('{"level":'), 'VALIDATION_ERROR')
    await expectError(await send(new Uint8Array([0x22, 0xff, 0xfe, 0x22])), 'VALIDATION_ERROR')
    await expectError(await send('['.repeat(500_000)), 'VALIDATION_ERROR')
    await expectError(await send(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`), 'VALIDATION_ERROR')
    await expectError(await send('{"level":"info","__proto__":{"a":1}}'), 'VALIDATION_ERROR')
    expect((await send('{"level":"info"}')).status).toBe(200)
  })

  it('refuses bodies above 1 MiB, declared or not, and stays up', async () => {
    await expectError(await send(`"${'x'.repeat(1_048_576)}"`), 'PAYLOAD_TOO_LARGE')
    const status = await new Promise<number | undefined>((resolve, reject) => {
      void node.token().then((token) => {
        const sending = request(
          `${node.url}/api/admin/log-level`,
          {
            method: 'PUT',
            headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
          },
          (reply) => resolve(reply.resume().statusCode),
        )
        sending.on('error', reject)
        // No Content-Length: sent in chunks.
        for (let chunk = 0; chunk < 17; chunk++) sending.write('x'.repeat(65_536))
        sending.end()
      })
    })
    expect(status).toBe(413)
    expect((await fetch(`${node.url}/health/live`)).status).toBe(200)
  })
})

describe('rate limits', () => {
  it('count down per class, end with 429 and Retry-After, and start again', async () => {
    await node.stop()
    node = await startHarness({ rateLimits: { read: { limit: 3, windowMs: 60_000 } } })
    const remaining: (string | null)[] = []
    for (let index = 0; index < 3; index++) {
      const reply = await node.call('GET', '/api/admin/node')
      expect(reply.headers.get('x-ratelimit-limit')).toBe('3')
      expect(reply.headers.get('x-ratelimit-reset')).toBe(String(node.clock.nowMs / 1000 + 60))
      remaining.push(reply.headers.get('x-ratelimit-remaining'))
    }
    expect(remaining).toEqual(['2', '1', '0'])
    node.clock.nowMs += 20_000
    const over = await node.call('GET', '/api/admin/node')
    await expectError(over, 'RATE_LIMIT_EXCEEDED')
    expect(over.headers.get('retry-after')).toBe('40')
    expect((await node.call('PUT', '/api/admin/log-level', { body: { level: 'info' } })).status).toBe(200)
    node.clock.nowMs += 40_000
    expect((await node.call('GET', '/api/admin/node')).status).toBe(200)
  })

  it('hold off an address that keeps failing to authenticate, before looking at its token', async () => {
    const { limit } = RATE_CLASSES.authentication
    for (let index = 0; index < limit; index++) {
      const reply = await fetch(`${node.url}/api/admin/node`, { headers: { Authorization: 'Bearer guess' } })
      await expectError(reply, 'AUTHENTICATION_FAILED')
      expect(reply.headers.get('x-ratelimit-remaining')).toBe(String(limit - index - 1))
    }
    await expectError(await node.call('GET', '/api/admin/node'), 'RATE_LIMIT_EXCEEDED')
    node.clock.nowMs += RATE_CLASSES.authentication.windowMs
    expect((await node.call('GET', '/api/admin/node')).status).toBe(200)
  })

  it('count unknown paths per address', async () => {
    const { limit } = RATE_CLASSES.unmatched
    for (let index = 0; index < limit; index++) await (await fetch(`${node.url}/api/x`)).arrayBuffer()
    await expectError(await fetch(`${node.url}/api/x`), 'RATE_LIMIT_EXCEEDED')
  })

  it('believe X-Forwarded-For only where the proxy is trusted, and there its last entry', async () => {
    const fail = (forwarded: string) =>
      fetch(`${node.url}/api/admin/node`, { headers: { 'X-Forwarded-For': forwarded } })
    const remaining = async (forwarded: string) =>
      (await fail(forwarded)).headers.get('x-ratelimit-remaining')
    expect([await remaining('192.0.2.1'), await remaining('192.0.2.2')]).toEqual(['19', '18'])
    await node.stop()
    node = await startHarness({ trustProxy: true })
    expect(await remaining('192.0.2.1')).toBe('19')
    expect(await remaining('192.0.2.2')).toBe('19')
    expect(await remaining('198.51.100.7, 192.0.2.2')).toBe('18')
    expect(await remaining('2001:db8::1')).toBe('19')
    expect(await remaining('2001:db8::2')).toBe('18')
    expect(await remaining('2001:db8:0:1::2')).toBe('19')
    expect(await remaining('not an address')).toBe('19')
    expect(await remaining('')).toBe('18')
  })
})
