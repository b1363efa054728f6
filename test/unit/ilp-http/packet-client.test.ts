import { createServer, type Socket } from 'node:net'
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SendOutcome } from '../../../src/peers/link.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { OUT_TOKEN, TestBench } from './test-bench.ts'

const PREPARE = Buffer.from([12, 1, 0])
const FULFILL = Buffer.from([13, 1, 0])
const later = () => Date.now() + 30_000

let bench: TestBench
beforeEach(() => {
  bench = new TestBench()
})
afterEach(() => bench.close())

/** A link to `url`, connected. */
async function linkTo(url: string, outgoing: Record<string, unknown> = {}) {
  const { plugin } = await bench.plugin({ allowShortTokens: outgoing.algorithm !== undefined })
  const opened = await bench.link(plugin, {
    outgoing: {
      ...(outgoing.scheme === 'jwt' ? {} : { scheme: 'bearer', token: OUT_TOKEN }),
      url,
      probeMinMs: 10,
      ...outgoing,
    },
  })
  await waitFor('the link to be connected', () => opened.link.connected)
  const send = (token: number, expiresAtMs = later()) =>
    opened.link.sendPrepare(token, PREPARE, 0, PREPARE.length, expiresAtMs)
  return { ...opened, send }
}

describe('the ilp-http client', () => {
  it('sends the packet with its token, type and name', async () => {
    let seen: unknown
    const remote = await bench.remote((request, response, body) => {
      const { authorization, 'content-type': type, accept, 'ilp-peer-name': name } = request.headers
      seen = { method: request.method, url: request.url, authorization, type, accept, name, body }
      response.end(FULFILL)
    })
    const { send, receiver } = await linkTo(`${remote.url}a/b?c=d`, {
      peerName: 'me',
      contentType: 'application/ilp+octet-stream',
    })
    expect(send(1)).toBe(SendOutcome.sent)
    await waitFor('the reply', () => receiver.replies.length === 1)
    const type = 'application/ilp+octet-stream'
    const authorization = `Bearer ${OUT_TOKEN}`
    expect(seen).toEqual({
      method: 'POST',
      url: '/a/b?c=d',
      authorization,
      type,
      accept: type,
      name: 'me',
      body: PREPARE,
    })
  })

  it.each([
    [500, 'unreachable'],
    [502, 'unreachable'],
    [503, 'unreachable'],
    [400, 'refused'],
    [401, 'refused'],
    [413, 'refused'],
    [302, 'refused'],
    [200, 'bad-answer'],
    [202, 'bad-answer'],
    [204, 'bad-answer'],
  ])('takes HTTP %i without a packet as %s, and sends the packet once only', async (status, failure) => {
    let requests = 0
    const remote = await bench.remote((_, response) => {
      requests += 1
      response.writeHead(status, status === 302 ? { location: remote.url } : {}).end()
    })
    const { send, receiver, link } = await linkTo(remote.url)
    send(1)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toMatchObject({ token: 1, failure })
    expect(receiver.failures[0]!.message).toContain(String(status))
    send(2)
    await waitFor('the second failure', () => receiver.failures.length === 2)
    expect(requests).toBe(2)
    expect(link.connected, 'an answer is a sign of life').toBe(true)
  })

  it('does not read a body of an error as a packet', async () => {
    const remote = await bench.remote((_, response) => response.writeHead(401).end(FULFILL))
    const { send, receiver } = await linkTo(remote.url)
    send(1)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.replies).toEqual([])
  })

  it('gives up a response that is too long', async () => {
    const remote = await bench.remote((_, response) => response.end(Buffer.alloc(100_000, 13)))
    const { send, receiver } = await linkTo(remote.url)
    send(1)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]!.failure).toBe('bad-answer')
  })

  it('puts a response of many pieces together', async () => {
    const reply = Buffer.alloc(40_000, 14)
    const remote = await bench.remote((_, response) => {
      let at = 0
      const next = () => {
        if (at >= reply.length) return response.end()
        response.write(reply.subarray(at, at + 8_000), next)
        at += 8_000
        return undefined
      }
      next()
    })
    const { send, receiver } = await linkTo(remote.url)
    send(1)
    await waitFor('the reply', () => receiver.replies.length === 1)
    expect(receiver.replies[0]!.packet.equals(reply)).toBe(true)
  })

  it('never sends again what broke with its connection, and counts as disconnected after five such in a row', async () => {
    let packets = 0
    let broken = true
    const server = createServer((socket: Socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        const isPacket = chunk.toString('latin1').startsWith('POST')
        if (isPacket) packets += 1
        if (isPacket && broken) socket.destroy()
        else if (isPacket) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx')
        else socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const { send, receiver, link } = await linkTo(`http://127.0.0.1:${port}/`)
    for (let token = 1; token <= 5; token += 1) {
      expect(link.connected).toBe(true)
      send(token)
      await waitFor('the failure', () => receiver.failures.length === token)
    }
    expect(receiver.failures.every(({ failure }) => failure === 'unreachable')).toBe(true)
    expect(packets).toBe(5)
    expect(receiver.disconnections).toHaveLength(1)
    broken = false
    await waitFor('a probe to succeed', () => link.connected)
    expect(receiver.connections).toBe(2)
    send(6)
    await waitFor('the reply', () => receiver.replies.length === 1)
    await link.stop()
    await new Promise((resolve) => server.close(resolve))
  })

  it('is not connected while nobody listens, tells why, and connects when the peer comes', async () => {
    const remote = await bench.remote((_, response) => response.end(FULFILL))
    await remote.close()
    const { plugin } = await bench.plugin()
    const { link, receiver } = await bench.link(plugin, {
      outgoing: { scheme: 'bearer', token: OUT_TOKEN, url: remote.url, probeMinMs: 10, probeMaxMs: 20 },
    })
    expect(link.sendPrepare(1, PREPARE, 0, 3, later())).toBe(SendOutcome.unreachable)
    await waitFor('a probe to fail', () => link.status().lastError !== undefined)
    expect(link.status()).toMatchObject({ connected: false, remote: remote.url })
    expect(link.status().lastError).toMatch(/ECONNREFUSED/)
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'))
    })
    await new Promise<void>((resolve) => server.listen(remote.port, '127.0.0.1', resolve))
    await waitFor('the link to be connected', () => link.connected)
    expect(receiver.connections).toBe(1)
    await link.stop()
    await new Promise((resolve) => server.close(resolve))
  })

  it('is busy when connections and queue are full, and fails what expires there without sending it', async () => {
    const arrived: number[] = []
    const remote = await bench.remote((_, __, body) => arrived.push(body.length))
    const { send, receiver } = await linkTo(remote.url, { connections: 2, queueMax: 1 })
    const soon = Date.now() + 300
    expect([1, 2, 3, 4].map((token) => send(token, soon))).toEqual([
      SendOutcome.sent,
      SendOutcome.sent,
      SendOutcome.sent,
      SendOutcome.busy,
    ])
    await waitFor('all to be given up', () => receiver.failures.length === 3)
    expect(receiver.failures.map(({ token }) => token).toSorted()).toEqual([1, 2, 3])
    expect(receiver.failures.every(({ failure }) => failure === 'unreachable')).toBe(true)
    expect(arrived).toHaveLength(2)
  })

  it('goes on with the queue as connections come free', async () => {
    const remote = await bench.remote((_, response) => setImmediate(() => response.end(FULFILL)))
    const { send, receiver } = await linkTo(remote.url, { connections: 3, queueMax: 100 })
    for (let token = 0; token < 100; token += 1) expect(send(token)).toBe(SendOutcome.sent)
    await waitFor('all replies', () => receiver.replies.length === 100)
    expect(receiver.failures).toEqual([])
  })

  it('signs JWTs with the claims agreed and uses each for many packets', async () => {
    const key = 'shh' // what ilp-plugin-http shows in its examples
    const tokens: string[] = []
    const remote = await bench.remote((request, response) => {
      tokens.push(request.headers.authorization!.slice(7))
      response.end(FULFILL)
    })
    const { send, receiver } = await linkTo(remote.url, {
      scheme: 'jwt',
      algorithm: 'HS256',
      key,
      kid: 'k1',
      issuer: 'us',
      audience: 'them',
      subject: 'our-account',
      lifetimeSeconds: 60,
    })
    for (let token = 0; token < 10; token += 1) send(token)
    await waitFor('the replies', () => receiver.replies.length === 10)
    expect(new Set(tokens).size).toBe(1)
    await jwtVerify(tokens[0]!, Buffer.from(key), { issuer: 'us', audience: 'them', subject: 'our-account' })
    expect(decodeProtectedHeader(tokens[0]!)).toEqual({ alg: 'HS256', typ: 'JWT', kid: 'k1' })
    const { iat, exp } = decodeJwt(tokens[0]!)
    expect(exp! - iat!).toBe(60)
  })
})

describe('outgoing JWTs', () => {
  it('are renewed before they expire, also after a long sleep, and after a 401', async () => {
    const { OutgoingCredentials } = await import('../../../plugins/ilp-http/outgoing-credentials.ts')
    const clock = { nowMs: 1_800_000_000_000, now: () => clock.nowMs }
    const { linkOptionsSchema } = await import('../../../plugins/ilp-http/options.ts')
    const { outgoing } = linkOptionsSchema.parse({
      outgoing: {
        scheme: 'jwt',
        algorithm: 'HS256',
        key: 'k'.repeat(32),
        url: 'http://127.0.0.1/',
        lifetimeSeconds: 100,
      },
    })
    const credentials = new OutgoingCredentials(outgoing!, false, clock)
    expect(credentials.header()).toBeUndefined()
    await credentials.renew()
    const first = credentials.header()
    clock.nowMs += 79_000
    expect(credentials.header()).toBe(first)
    clock.nowMs += 2_000
    expect(credentials.header(), 'still good while the next is made').toBe(first)
    await credentials.renew()
    const second = credentials.header()
    expect(second).not.toBe(first)
    clock.nowMs += 3_600_000
    expect(credentials.header(), 'expired while asleep').toBeUndefined()
    await credentials.renew()
    expect(credentials.header()).toBeDefined()
    credentials.discard()
    expect(credentials.header()).toBeUndefined()
  })
})
