import { randomUUID } from 'node:crypto'
import { serializeIlpPrepare } from 'ilp-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../compliance/wait-for.ts'
import { IN_TOKEN, OUT_TOKEN, post, REQUEST_ID, TestBench } from './test-bench.ts'

const FULFILL = Buffer.from([13, 1, 0])
const incoming = { scheme: 'bearer', token: IN_TOKEN }

function prepare(lifeMs = 30_000): Buffer {
  return serializeIlpPrepare({
    amount: '7',
    destination: 'test.bob',
    executionCondition: Buffer.alloc(32),
    expiresAt: new Date(Date.now() + lifeMs),
    data: Buffer.alloc(0),
  })
}

let bench: TestBench
beforeEach(() => {
  bench = new TestBench()
})
afterEach(() => bench.close())

/** Our listener with the peer `alice`, whose own server answers callbacks with `statuses` in turn, then 200. */
async function answering(statuses: number[] = [], options: Record<string, unknown> = {}) {
  const callbacks: { requestId: unknown; authorization: unknown; body: Buffer }[] = []
  const remote = await bench.remote((request, response, body) => {
    const { 'request-id': requestId, authorization } = request.headers
    callbacks.push({ requestId, authorization, body })
    const status = statuses.shift() ?? 200
    if (status === 0) request.socket.destroy()
    else response.writeHead(status).end()
  })
  const { plugin, url } = await bench.plugin()
  const outgoing = { scheme: 'bearer', token: OUT_TOKEN, url: remote.url, probeMinMs: 10 }
  const opened = await bench.link(plugin, { incoming, outgoing, ...options })
  await waitFor('the link to be connected', () => opened.link.connected)
  const handles: number[] = []
  opened.receiver.prepare = (handle) => handles.push(handle)
  const request = (headers: Record<string, string> = {}, packet = prepare()) =>
    post(url, packet, { 'request-id': REQUEST_ID, 'callback-url': `${remote.url}back`, ...headers })
  const reply = (index = 0) => opened.link.sendReply(handles[index]!, FULFILL, 0, FULFILL.length)
  return { ...opened, url, remote, callbacks, handles, request, reply }
}

describe('asynchronous requests of a peer', () => {
  it('are accepted at once with 202, and the reply is posted to the callback with our token', async () => {
    const { request, reply, callbacks, handles } = await answering()
    const answer = await request()
    expect(answer.status).toBe(202)
    expect(answer.body).toHaveLength(0)
    expect(handles).toHaveLength(1)
    expect(callbacks).toEqual([])
    reply()
    await waitFor('the callback', () => callbacks.length === 1)
    expect(callbacks).toEqual([
      { requestId: REQUEST_ID, authorization: `Bearer ${OUT_TOKEN}`, body: FULFILL },
    ])
  })

  it('may not name a callback outside the registered origins', async () => {
    const { request, handles, receiver, remote } = await answering()
    const elsewhere = [
      'http://169.254.169.254/latest/meta-data',
      'http://127.0.0.1:1/',
      `http://user@127.0.0.1:${remote.port}/`,
      `https://127.0.0.1:${remote.port}/`,
      `http://127.0.0.1:${remote.port}.evil.example/`,
      'file:///etc/passwd',
      '//elsewhere',
      'nonsense',
    ]
    for (const url of elsewhere) expect((await request({ 'callback-url': url })).status, url).toBe(400)
    expect(handles).toEqual([])
    expect(receiver.protocolErrors).toHaveLength(elsewhere.length)
  })

  it('may name a callback on an origin registered for it', async () => {
    const other = await bench.remote((_, response) => response.end())
    const { request, handles } = await answering([], { callbackOrigins: [other.url] })
    expect((await request({ 'callback-url': `${other.url}deep/path?x=1` })).status).toBe(202)
    expect(handles).toHaveLength(1)
  })

  it('need no header when the callback is agreed', async () => {
    const calls: Buffer[] = []
    const back = await bench.remote((_, response, body) => {
      calls.push(body)
      response.end()
    })
    const { url, reply } = await answering([], { callbackUrl: back.url })
    expect((await post(url, prepare(), { 'request-id': REQUEST_ID })).status).toBe(202)
    reply()
    await waitFor('the callback', () => calls.length === 1)
  })

  it('are answered synchronously with a Request-Id alone, and refused with a Callback-Url alone', async () => {
    const { url, receiver, link, remote } = await answering()
    receiver.prepare = (handle) => link.sendReply(handle, FULFILL, 0, FULFILL.length)
    const sync = await post(url, prepare(), { 'request-id': REQUEST_ID })
    expect(sync.status).toBe(200)
    expect(sync.body).toEqual(FULFILL)
    expect((await post(url, prepare(), { 'callback-url': remote.url })).status).toBe(400)
  })

  it('must carry a version 4 UUID', async () => {
    const { request, handles } = await answering()
    for (const id of ['', '1', REQUEST_ID.replace('-4', '-1'), `${REQUEST_ID}0`])
      expect((await request({ 'request-id': id })).status, id).toBe(400)
    expect(handles).toEqual([])
  })

  it('count once when they are repeated, before and after the reply', async () => {
    const { request, reply, handles, callbacks } = await answering()
    expect((await request()).status).toBe(202)
    expect((await request({ 'request-id': REQUEST_ID.toUpperCase() })).status).toBe(202)
    reply()
    await waitFor('the callback', () => callbacks.length === 1)
    expect((await request()).status).toBe(202)
    expect(handles).toHaveLength(1)
    expect((await request({ 'request-id': randomUUID() })).status).toBe(202)
    expect(handles).toHaveLength(2)
  })

  it('have their reply posted again after 5xx and silence', async () => {
    const { request, reply, callbacks } = await answering([500, 0, 503])
    await request()
    reply()
    await waitFor('the fourth try', () => callbacks.length === 4)
    expect(callbacks.every(({ requestId, body }) => requestId === REQUEST_ID && body.equals(FULFILL))).toBe(
      true,
    )
  })

  it('have their reply posted once when it is refused', async () => {
    const { request, reply, callbacks } = await answering([400])
    await request()
    reply()
    await waitFor('the callback', () => callbacks.length === 1)
    await request({ 'request-id': randomUUID() })
    reply(1)
    await waitFor('the callback of another', () => callbacks.length >= 2)
    expect(callbacks.filter(({ requestId }) => requestId === REQUEST_ID)).toHaveLength(1)
  })

  it('have no more tries after the packet expired', async () => {
    const { request, reply, callbacks, link } = await answering(Array(100).fill(503))
    await request({}, prepare(400))
    reply()
    const end = Date.now() + 1_200
    await waitFor('the packet to be long expired', () => Date.now() > end)
    const tries = callbacks.length
    expect(tries).toBeGreaterThan(1)
    expect(tries).toBeLessThan(8)
    await link.stop()
    expect(callbacks).toHaveLength(tries)
  })
})

describe('our asynchronous requests', () => {
  /** A link in asynchronous mode, and a peer that accepts with 202 unless `answer` says otherwise. */
  async function asking(status = 202, body?: Buffer) {
    const requests: { id: string; callback: unknown }[] = []
    const remote = await bench.remote((request, response) => {
      const { 'request-id': id, 'callback-url': callback } = request.headers
      requests.push({ id: String(id), callback })
      response.writeHead(status).end(body)
    })
    const { plugin, url } = await bench.plugin()
    const outgoing = {
      scheme: 'bearer',
      token: OUT_TOKEN,
      url: remote.url,
      mode: 'async',
      callbackUrl: `${url}/callback`,
      probeMinMs: 10,
    }
    const opened = await bench.link(plugin, { incoming, outgoing })
    await waitFor('the link to be connected', () => opened.link.connected)
    const send = (token: number, expiresAtMs = Date.now() + 30_000) =>
      opened.link.sendPrepare(token, Buffer.from([12, 1, 0]), 0, 3, expiresAtMs)
    return { ...opened, plugin, url, requests, send }
  }

  it('carry a fresh Request-Id and our callback, and take the reply there once', async () => {
    const { send, requests, receiver, url } = await asking()
    send(1)
    send(2)
    await waitFor('the requests', () => requests.length === 2)
    expect(requests[0]!.id).not.toBe(requests[1]!.id)
    expect(requests[0]!.callback).toBe(`${url}/callback`)
    const headers = { 'request-id': requests[0]!.id }
    expect((await post(`${url}/callback`, FULFILL, headers)).status).toBe(200)
    expect((await post(`${url}/callback`, FULFILL, headers)).status).toBe(400)
    expect((await post(`${url}/callback`, FULFILL, { 'request-id': randomUUID() })).status).toBe(400)
    expect((await post(`${url}/callback`, FULFILL)).status).toBe(400)
    expect(receiver.replies).toHaveLength(1)
    expect(receiver.failures).toEqual([])
  })

  it('take the reply on the path for packets too', async () => {
    const { send, requests, receiver, url } = await asking()
    send(1)
    await waitFor('the request', () => requests.length === 1)
    expect((await post(url, FULFILL, { 'request-id': requests[0]!.id })).status).toBe(200)
    expect(receiver.replies).toHaveLength(1)
    expect(receiver.prepares).toEqual([])
  })

  it('cannot be answered by another account', async () => {
    const { send, requests, receiver, url, plugin } = await asking()
    const token = 'the-token-of-bob-long'
    await bench.link(plugin, { incoming: { scheme: 'bearer', token } }, 'bob')
    send(1)
    await waitFor('the request', () => requests.length === 1)
    const headers = { 'request-id': requests[0]!.id, authorization: `Bearer ${token}` }
    expect((await post(`${url}/callback`, FULFILL, headers)).status).toBe(400)
    expect(receiver.replies).toEqual([])
  })

  it('take a reply in the response as well, and then no callback', async () => {
    const { send, requests, receiver, url } = await asking(200, FULFILL)
    send(1)
    await waitFor('the reply', () => receiver.replies.length === 1)
    expect((await post(`${url}/callback`, FULFILL, { 'request-id': requests[0]!.id })).status).toBe(400)
    expect(receiver.replies).toHaveLength(1)
  })

  it('fail when they are not accepted, and then take no callback', async () => {
    const { send, requests, receiver, url } = await asking(502)
    send(1)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect((await post(`${url}/callback`, FULFILL, { 'request-id': requests[0]!.id })).status).toBe(400)
    expect(receiver.replies).toEqual([])
    expect(requests).toHaveLength(1)
  })

  it('wait for the callback though the connection broke before the 202', async () => {
    let id = ''
    const remote = await bench.remote((request) => {
      id = String(request.headers['request-id'])
      request.socket.destroy()
    })
    const { plugin, url } = await bench.plugin()
    const outgoing = { scheme: 'bearer', token: OUT_TOKEN, url: remote.url, mode: 'async', probeMinMs: 10 }
    const { link, receiver } = await bench.link(plugin, { incoming, outgoing })
    await waitFor('the link to be connected', () => link.connected)
    link.sendPrepare(1, Buffer.from([12, 1, 0]), 0, 3, Date.now() + 30_000)
    await waitFor('the request', () => id !== '')
    expect((await post(`${url}/callback`, FULFILL, { 'request-id': id })).status).toBe(200)
    expect(receiver.replies).toHaveLength(1)
    expect(receiver.failures).toEqual([])
  })

  it('are forgotten a moment after the packet expired', async () => {
    const { send, requests, receiver, url } = await asking()
    send(1, Date.now() + 300)
    await waitFor('the request', () => requests.length === 1)
    const end = Date.now() + 1_700
    await waitFor('the packet to expire', () => Date.now() > end)
    expect((await post(`${url}/callback`, FULFILL, { 'request-id': requests[0]!.id })).status).toBe(400)
    expect(receiver.replies).toEqual([])
  })
})
