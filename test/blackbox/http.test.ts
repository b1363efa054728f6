import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { makePacket } from './fake-peer.ts'
import { HttpPeer } from './http-peer.ts'
import { peersBreakOnlyThemselves, type Scene } from './scenarios.ts'

const ASSET = { code: 'USD', scale: 6 }
const UINT64_MAX = String(2n ** 64n - 1n)

const token = (id: string, way: string) => `${way}-token-of-${id}-0123456789abcdef`

async function build(): Promise<Scene & { base: string }> {
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const url = `${base}/ilp`
  const ids = ['alice', 'bob', 'carol'] as const
  const [alice, bob, carol] = await Promise.all(
    ids.map((id) => HttpPeer.create({ url, token: token(id, 'incoming') })),
  )
  const peers = { alice: alice!, bob: bob!, carol: carol! }
  const link = (id: keyof typeof peers) => ({
    plugin: 'ilp-http',
    incoming: { scheme: 'bearer', token: `secret:in-${id}` },
    outgoing: { url: `http://127.0.0.1:${peers[id].port}/ilp`, scheme: 'bearer', token: `secret:out-${id}` },
  })
  const peer = (id: keyof typeof peers, more: object) => ({
    id,
    relation: 'child',
    asset: ASSET,
    link: link(id),
    ...more,
  })
  const node = await NodeProcess.create(
    {
      plugins: { 'ilp-http': { listen: { host: '127.0.0.1', port } } },
      peers: [
        peer('alice', { creditLimit: UINT64_MAX }),
        peer('bob', {}),
        peer('carol', { creditLimit: '1000', limits: { maxPacketAmount: '500' } }),
      ],
    },
    Object.fromEntries(
      ids.flatMap((id) => [
        [`in-${id}`, token(id, 'incoming')],
        [`out-${id}`, token(id, 'outgoing')],
      ]),
    ),
  )
  await Promise.all(Object.values(peers).map((each) => each.connect()))
  await node.start()
  return { node, base, ...peers }
}

peersBreakOnlyThemselves('HTTP', build)

describe('a node that listens for ILP over HTTP', () => {
  let scene: Awaited<ReturnType<typeof build>>
  beforeAll(async () => {
    scene = await build()
  }, 60_000)
  afterAll(async () => {
    await Promise.all([scene.alice.close(), scene.bob.close(), scene.carol.close()])
    await scene.node.destroy()
  })

  it.each([
    ['no credentials', {}, '/ilp', 401],
    ['a wrong token', { authorization: 'Bearer nobody-nobody-nobody-nobody' }, '/ilp', 401],
    [
      "another account's path",
      { authorization: `Bearer ${token('alice', 'incoming')}` },
      '/accounts/carol/ilp',
      401,
    ],
  ])('refuses a request with %s and books nothing', async (_what, headers, path, status) => {
    const response = await fetch(scene.base + path, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', ...(headers as Record<string, string>) },
      body: makePacket('test.node.bob').prepare,
    })
    expect(response.status).toBe(status)
    expect(await scene.node.balance('carol')).toBe(0n)
    expect(await scene.node.balance('alice')).toBe(0n)
  })
})
