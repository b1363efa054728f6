import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../../../src/lib/logger.ts'
import { SpspServer, type SpspServerOptions } from '../../../src/payments/spsp-server.ts'

const SECRET = Buffer.alloc(32, 0xfb)

describe('SpspServer', () => {
  let nowMs: number
  let server: SpspServer
  let asked: { accountId: string; receipts: unknown }[]

  const make = async (options: Partial<SpspServerOptions> = {}) => {
    server = new SpspServer(
      { host: '127.0.0.1', port: 0, ...options },
      {
        receivers: {
          defaultAccountId: 'alice',
          spspCredentials(accountId, receipts) {
            asked.push({ accountId, receipts })
            if (accountId === 'broken') throw new Error('boom')
            if (accountId === 'early') return 'not-ready'
            if (!['alice', 'bob'].includes(accountId)) return undefined
            return {
              destinationAccount: `test.node.${accountId}.token${asked.length}`,
              sharedSecret: SECRET,
              receiptsEnabled: receipts !== undefined,
            }
          },
        },
        clock: { now: () => nowMs },
        logger: silentLogger,
      },
    )
    await server.start()
  }
  const get = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init)

  beforeEach(() => {
    nowMs = 1_000_000
    asked = []
  })

  afterEach(() => server.stop())

  it('answers an account with a fresh address and secret, as RFC 9 says', async () => {
    await make()
    const reply = await get('/bob', { headers: { accept: 'application/spsp4+json' } })
    expect(reply.status).toBe(200)
    expect(reply.headers.get('content-type')).toBe('application/spsp4+json')
    expect(reply.headers.get('cache-control')).toContain('no-cache')
    expect(reply.headers.get('access-control-allow-origin')).toBe('*')
    expect(reply.headers.get('access-control-allow-headers')).toContain('web-monetization-id')
    expect(await reply.json()).toEqual({
      destination_account: 'test.node.bob.token1',
      shared_secret: SECRET.toString('base64'),
      receipts_enabled: false,
    })
    expect(await (await get('/bob')).json()).toMatchObject({ destination_account: 'test.node.bob.token2' })
  })

  it('answers whatever the client accepts', async () => {
    await make()
    for (const accept of ['*/*', 'text/html', 'application/spsp+json', 'application/json']) {
      expect((await get('/bob', { headers: { accept } })).status).toBe(200)
    }
  })

  it('answers the bare host for the first account', async () => {
    await make()
    expect(await (await get('/.well-known/pay')).json()).toMatchObject({
      destination_account: 'test.node.alice.token1',
    })
  })

  it('answers below the path of its public URL too', async () => {
    await make({ publicUrl: 'https://example.com/pay/' })
    expect((await get('/pay/bob')).status).toBe(200)
    expect((await get('/bob')).status).toBe(200)
    expect((await get('/payx/bob')).status).toBe(404)
  })

  it('says 404 with InvalidReceiverError for others', async () => {
    await make()
    for (const path of [
      '/carol',
      '/',
      '/bob/more',
      '/%62ob',
      '/bob%00',
      `/${'b'.repeat(65)}`,
      '/__proto__',
    ]) {
      const reply = await get(path)
      expect(reply.status, path).toBe(404)
      expect(reply.headers.get('content-type')).toBe('application/spsp4+json')
      expect(await reply.json()).toEqual({ id: 'InvalidReceiverError', message: 'Invalid receiver ID' })
    }
  })

  it('says 503 while the address is not known, 500 when it fails, 405 for other methods', async () => {
    await make()
    expect((await get('/early')).status).toBe(503)
    expect((await get('/broken')).status).toBe(500)
    const post = await get('/bob', { method: 'POST', body: 'x'.repeat(100_000) })
    expect(post.status).toBe(405)
    expect(post.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    expect(await (await get('/bob', { method: 'HEAD' })).text()).toBe('')
  })

  it('lets browsers ask from anywhere', async () => {
    await make()
    const reply = await get('/bob', { method: 'OPTIONS' })
    expect(reply.status).toBe(204)
    expect(reply.headers.get('access-control-allow-origin')).toBe('*')
    expect(reply.headers.get('access-control-allow-methods')).toContain('GET')
    expect(asked).toEqual([])
  })

  it('passes on nonce and secret of receipts, and refuses half of them', async () => {
    await make()
    const nonce = Buffer.alloc(16, 1)
    const secret = Buffer.alloc(32, 2)
    const headers = { 'receipt-nonce': nonce.toString('base64'), 'receipt-secret': secret.toString('base64') }
    expect(await (await get('/bob', { headers })).json()).toMatchObject({ receipts_enabled: true })
    expect(asked[0]?.receipts).toEqual({ nonce, secret })
    expect((await get('/bob', { headers: { 'receipt-nonce': headers['receipt-nonce'] } })).status).toBe(400)
  })

  it('limits each client address, and only it', async () => {
    await make({ trustProxy: true })
    const from = (address: string) => ({ headers: { 'x-forwarded-for': `9.9.9.9, ${address}` } })
    for (let i = 0; i < 100; i++) expect((await get('/bob', from('1.1.1.1'))).status).toBe(200)
    const refused = await get('/bob', from('1.1.1.1'))
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await get('/bob', from('2.2.2.2'))).status).toBe(200)
    nowMs += 100
    expect((await get('/bob', from('1.1.1.1'))).status).toBe(200)
    expect((await get('/bob', from('1.1.1.1'))).status).toBe(429)
  })

  it('does not believe X-Forwarded-For unless told to', async () => {
    await make()
    let last = 0
    for (let i = 0; i <= 100; i++) {
      last = (await get('/bob', { headers: { 'x-forwarded-for': `1.1.1.${i}` } })).status
    }
    expect(last).toBe(429)
  })

  it('says so when the port is taken', async () => {
    await make()
    const port = Number(new URL(server.url!).port)
    const first = server
    await expect(make({ port })).rejects.toThrow(/SPSP cannot listen on 127.0.0.1:\d+ \(EADDRINUSE\)/)
    await first.stop()
    await first.stop()
    expect(first.url).toBeUndefined()
  })
})
