import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Harness, startHarness } from './harness.ts'
import { SAMPLE_CALLS } from './sample-calls.ts'

const CANARY = 'canary-3b9f51d07e'

let node: Harness

beforeEach(async () => {
  node = await startHarness()
})

afterEach(async () => {
  await node.stop()
})

it('no token, key or secret of a request shows in a reply or in the log, whatever becomes of the request', async () => {
  const token = await node.token()
  const replies: string[] = []
  const send = async (method: string, path: string, body: unknown, headers: Record<string, string>) => {
    const reply = await fetch(`${node.url}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    replies.push(JSON.stringify([...reply.headers]), await reply.text())
  }
  const bearer = { Authorization: `Bearer ${token}` }
  for (const [name, { path, body }] of Object.entries(SAMPLE_CALLS)) {
    await send(name.split(' ')[0] as string, path, body, bearer)
  }
  await send('GET', '/api/admin/node', undefined, { Authorization: `Bearer ${CANARY}.${CANARY}.${CANARY}` })
  await send('GET', '/api/admin/node', undefined, { Authorization: `Basic ${CANARY}`, Cookie: CANARY })
  await send('GET', `/api/admin/node/${CANARY}?token=${CANARY}`, undefined, bearer)
  await send('GET', `/nothing?token=${CANARY}`, undefined, {})
  const peer = { id: 'eve', relation: 'peer', asset: { code: 'USD', scale: 9 } }
  const bodies = [
    { ...peer, link: { plugin: 'btp', token: CANARY } },
    { ...peer, relation: CANARY, link: { plugin: 'btp', token: CANARY } },
    { ...peer, id: CANARY.repeat(20), link: CANARY },
    `{"token":"${CANARY}`,
    [CANARY],
    CANARY,
  ]
  for (const body of bodies) await send('POST', '/api/admin/peers', body, bearer)
  for (const body of bodies) await send('PATCH', '/api/admin/peers/eve', body, bearer)
  node.services.fault = Object.assign(new Error(`refused: token=${CANARY}`), { token: CANARY })
  await send('GET', '/api/admin/node', undefined, bearer)

  const seen = [...replies, ...node.lines()].join('\n')
  expect(node.lines().length).toBeGreaterThan(Object.keys(SAMPLE_CALLS).length)
  expect(seen).toContain('operator request failed')
  expect(seen).not.toContain(CANARY)
  expect(seen).not.toContain(token)
  expect(seen).not.toContain(token.split('.')[2])
  expect(seen).not.toContain(Buffer.from(node.key).toString('base64'))
  expect(seen).not.toContain(Buffer.from(node.key).toString('hex'))
})

it('changes are on record with who made them, reading is not at the usual level', async () => {
  await node.call('PUT', '/api/admin/log-level', {
    body: { level: 'info' },
    headers: { 'X-Request-Id': 'change-1' },
  })
  await node.call('DELETE', '/api/admin/peers/alice', { headers: { 'X-Request-Id': 'change-2' } })
  await node.call('GET', '/api/admin/node', { headers: { 'X-Request-Id': 'look-1' } })
  const lines = node.lines().map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.find(({ requestId }) => requestId === 'change-1')).toMatchObject({
    level: 'info',
    method: 'PUT',
    route: '/api/admin/log-level',
    status: 200,
    subject: 'operator',
    jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
  expect(lines.find(({ requestId }) => requestId === 'change-2')).toMatchObject({
    target: 'alice',
    status: 200,
  })
  expect(lines.find(({ requestId }) => requestId === 'look-1')).toMatchObject({ level: 'debug' })
})
