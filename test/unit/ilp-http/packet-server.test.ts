import { once } from 'node:events'
import { connect } from 'node:net'
import { SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LinkConfigError } from '../../../src/peers/link.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { IN_TOKEN, post, TestBench } from './test-bench.ts'

const PREPARE = Buffer.from([12, 1, 0])
const FULFILL = Buffer.from([13, 1, 0])
const incoming = { scheme: 'bearer', token: IN_TOKEN }

let bench: TestBench
beforeEach(() => {
  bench = new TestBench()
})
afterEach(() => bench.close())

/** A listener with one peer, `alice`, whose prepares are answered with `FULFILL`. */
async function listener(options: Record<string, unknown> = {}, link: Record<string, unknown> = { incoming }) {
  const { plugin, url } = await bench.plugin(options)
  const opened = await bench.link(plugin, link)
  opened.receiver.prepare = (handle) => opened.link.sendReply(handle, FULFILL, 0, FULFILL.length)
  return { plugin, url, ...opened }
}

/** Sends bytes over a socket; resolves with all that came back when the server closed it, or `until` was seen. */
async function raw(url: string, parts: string[], until?: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  let text = ''
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (until !== undefined && text.includes(until)) resolve()
    })
    socket.on('close', () => resolve())
  })
  for (const part of parts) socket.write(part)
  await ended
  socket.destroy()
  return text
}

describe('the ilp-http listener', () => {
  it('answers a packet with 200 and the reply, labelled as the request was', async () => {
    const { url } = await listener()
    for (const type of ['application/octet-stream', 'application/ilp+octet-stream']) {
      const answer = await post(url, PREPARE, { 'content-type': type })
      expect(answer.status).toBe(200)
      expect(answer.body).toEqual(FULFILL)
      expect(answer.headers.get('content-type')).toBe(type)
    }
    const onPath = await post(url.replace('/ilp', '/accounts/alice/ilp'), PREPARE)
    expect(onPath.body).toEqual(FULFILL)
  })

  it('says 401 to strangers, with a challenge and never with a packet', async () => {
    const { url, receiver } = await listener()
    const wrong = [
      '',
      'Bearer',
      'Bearer ',
      'Bearer wrong',
      `Basic ${IN_TOKEN}`,
      IN_TOKEN,
      `Bearer ${'x'.repeat(9_000)}`,
    ]
    for (const authorization of wrong) {
      const answer = await post(url, PREPARE, { authorization })
      expect(answer.status, authorization.slice(0, 20)).toBe(401)
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect(JSON.parse(answer.body.toString())).toMatchObject({ status: 401 })
    }
    expect(receiver.calls).toBe(0)
  })

  it('does not take the token of one account on the path of another, nor on one that does not exist', async () => {
    const { plugin, url } = await listener()
    await bench.link(plugin, { incoming: { scheme: 'bearer', token: 'the-token-of-bob-long' } }, 'bob')
    expect((await post(url.replace('/ilp', '/accounts/bob/ilp'), PREPARE)).status).toBe(401)
    expect((await post(url.replace('/ilp', '/accounts/nobody/ilp'), PREPARE)).status).toBe(401)
  })

  it('refuses a second account with the same token', async () => {
    const { plugin } = await listener()
    await expect(bench.link(plugin, { incoming }, 'bob')).rejects.toThrow(LinkConfigError)
  })

  it('answers wrong paths, methods, content types and Accept headers with their status', async () => {
    const { url, receiver } = await listener()
    expect((await post(`${url}/else`, PREPARE)).status).toBe(404)
    expect((await post(url.replace('/ilp', '/accounts/../ilp/'), PREPARE)).status).toBe(404)
    expect((await fetch(url)).status).toBe(405)
    expect((await fetch(url, { method: 'OPTIONS' })).status).toBe(204)
    expect((await post(url, PREPARE, { 'content-type': 'application/json' })).status).toBe(415)
    expect((await post(url, PREPARE, { 'content-type': 'application/octet-streams' })).status).toBe(415)
    expect((await post(url, PREPARE, { accept: 'text/html' })).status).toBe(406)
    expect((await post(url, PREPARE, { accept: 'text/html, */*;q=0.1' })).status).toBe(200)
    expect((await post(url, Buffer.alloc(0))).status).toBe(400)
    expect(receiver.prepares).toEqual([])
  })

  it('takes the largest packet and refuses a larger body, announced or not', async () => {
    const { url } = await listener()
    expect((await post(url, Buffer.alloc(41_997, 12))).status).toBe(200)
    const head = `POST /ilp HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${IN_TOKEN}\r\ncontent-type: application/octet-stream\r\n`
    expect(await raw(url, [`${head}content-length: 42501\r\n\r\n`])).toMatch(/^HTTP\/1.1 413 /)
    const chunk = `a605\r\n${'x'.repeat(0xa605)}\r\n`
    expect(await raw(url, [`${head}transfer-encoding: chunked\r\n\r\n`, chunk])).toMatch(/^HTTP\/1.1 413 /)
  })

  it('checks the token before it reads a body', async () => {
    const { url } = await listener()
    const head = 'POST /ilp HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n'
    expect(await raw(url, [head])).toMatch(/^HTTP\/1.1 401 /)
  })

  it('ends a request whose head or body comes too slowly, and serves others meanwhile', async () => {
    const { url } = await listener({ headersTimeoutMs: 300, requestTimeoutMs: 500 })
    const slow = raw(url, ['POST /ilp HTTP/1.1\r\nhost: a\r\nx-slow: '])
    const slowBody = raw(url, [
      `POST /ilp HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${IN_TOKEN}\r\ncontent-type: application/octet-stream\r\ncontent-length: 10\r\n\r\nabc`,
    ])
    expect((await post(url, PREPARE)).status).toBe(200)
    expect(await slow).toMatch(/^HTTP\/1.1 408 /)
    expect(await slowBody).toMatch(/^HTTP\/1.1 408 /)
  })

  it('keeps serving peers while strangers hold more sockets than allowed', async () => {
    const { url } = await listener({ maxStrangers: 20, maxConnections: 40 })
    const { hostname, port } = new URL(url)
    const flood = Array.from({ length: 60 }, () =>
      connect(Number(port), hostname).on('error', () => undefined),
    )
    let dropped = 0
    for (const socket of flood) socket.on('close', () => (dropped += 1))
    await waitFor('the oldest strangers to be dropped', () => dropped >= 40)
    expect((await post(url, PREPARE)).status).toBe(200)
    for (const socket of flood) socket.destroy()
  })

  it('bounds the sockets of one account', async () => {
    const { url } = await listener({ maxConnectionsPerPeer: 2 })
    const request = `POST /ilp HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${IN_TOKEN}\r\ncontent-type: application/octet-stream\r\ncontent-length: 3\r\n\r\nabc`
    const { hostname, port } = new URL(url)
    const held = await Promise.all(
      [1, 2].map(async () => {
        const socket = connect(Number(port), hostname)
        socket.write(request)
        const [chunk] = (await once(socket, 'data')) as [Buffer]
        expect(chunk.toString()).toMatch(/^HTTP\/1.1 200 /)
        return socket
      }),
    )
    expect(await raw(url, [request])).toMatch(/^HTTP\/1.1 503 /)
    for (const socket of held) {
      const closed = once(socket, 'close')
      socket.destroy()
      await closed
    }
    let status = 0
    for (let tries = 0; status !== 200 && tries < 100; tries += 1) status = (await post(url, PREPARE)).status
    expect(status, 'places are free again').toBe(200)
  })

  it('finds the account of a JWT by sub, by ILP-Peer-Name or by the path', async () => {
    const key = 'a shared secret of more than 32 bytes in length'
    const { url, plugin } = await listener(
      {},
      {
        incoming: { scheme: 'jwt', algorithm: 'HS256', key, peerName: '4000' },
      },
    )
    await bench.link(plugin, { incoming: { scheme: 'jwt', algorithm: 'HS256', key: `${key} of bob` } }, 'bob')
    const sign = (claims: object) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('30s')
        .sign(Buffer.from(key))
    const named = `Bearer ${await sign({ sub: 'alice' })}`
    const nameless = `Bearer ${await sign({})}`
    expect((await post(url, PREPARE, { authorization: named })).status).toBe(200)
    expect((await post(url, PREPARE, { authorization: nameless })).status).toBe(401)
    expect((await post(url, PREPARE, { authorization: nameless, 'ilp-peer-name': '4000' })).status).toBe(200)
    expect((await post(url, PREPARE, { authorization: nameless, 'ilp-peer-name': 'bob' })).status).toBe(401)
    const path = (id: string) => url.replace('/ilp', `/accounts/${id}/ilp`)
    expect((await post(path('alice'), PREPARE, { authorization: nameless })).status).toBe(200)
    expect((await post(path('bob'), PREPARE, { authorization: nameless })).status).toBe(401)
    expect((await post(path('bob'), PREPARE, { authorization: named })).status).toBe(401)
  })

  it('counts an account that only sends as connected from its first request', async () => {
    const { url, link, receiver } = await listener()
    expect(link.connected).toBe(false)
    await post(url, PREPARE)
    expect(link.connected).toBe(true)
    expect(receiver.connections).toBe(1)
    expect(link.sendPrepare(1, PREPARE, 0, 3, Date.now() + 9_000)).toBe(1)
  })

  it('forgets an account that only sends when it has been silent for long', async () => {
    const { url, link, receiver } = await listener({}, { incoming, idleTimeoutMs: 1_000 })
    await post(url, PREPARE)
    await waitFor('the account to be idle', () => !link.connected)
    expect(receiver.disconnections).toHaveLength(1)
    expect(link.status().lastError).toMatch(/no request/)
  })

  it('says 503 when too many requests of the account await a reply', async () => {
    const { url, link, receiver } = await listener({}, { incoming, maxOpenRequests: 1 })
    const handles: number[] = []
    receiver.prepare = (handle) => handles.push(handle)
    const first = post(url, PREPARE)
    await waitFor('the first request', () => handles.length === 1)
    expect((await post(url, PREPARE)).status).toBe(503)
    link.sendReply(handles[0]!, FULFILL, 0, 3)
    expect((await first).status).toBe(200)
  })

  it('states why it cannot listen', async () => {
    const { url } = await bench.plugin()
    const port = Number(new URL(url).port)
    await expect(bench.plugin({ listen: { host: '127.0.0.1', port } })).rejects.toThrow(
      /EADDRINUSE.*free port/,
    )
  })
})
