import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { BtpPeer } from './btp-peer.ts'
import { fulfill, makePacket, verdict } from './fake-peer.ts'
import { peersBreakOnlyThemselves, type Scene } from './scenarios.ts'

const ASSET = { code: 'USD', scale: 6 }
const UINT64_MAX = String(2n ** 64n - 1n)
const FLOOD = 300

const token = (id: string) => `token-of-${id}-0123456789abcdef`

async function build(): Promise<Scene & { url: string; alice: BtpPeer; bob: BtpPeer; carol: BtpPeer }> {
  const port = await freePort()
  const link = (id: string) => ({ plugin: 'btp', mode: 'server', token: `secret:${id}` })
  const peer = (id: string, more: object) => ({
    id,
    relation: 'child',
    asset: ASSET,
    link: link(id),
    ...more,
  })
  const node = await NodeProcess.create(
    {
      plugins: { btp: { listen: { host: '127.0.0.1', port } } },
      peers: [
        peer('alice', { creditLimit: UINT64_MAX }),
        peer('bob', {}),
        peer('carol', { creditLimit: '1000', limits: { maxPacketAmount: '500' } }),
      ],
    },
    { alice: token('alice'), bob: token('bob'), carol: token('carol') },
  )
  await node.start()
  const url = `ws://127.0.0.1:${port}`
  const peers = ['alice', 'bob', 'carol'].map((id) => new BtpPeer({ url, token: token(id) }))
  await Promise.all(peers.map((each) => each.connect()))
  return { node, url, alice: peers[0]!, bob: peers[1]!, carol: peers[2]! }
}

peersBreakOnlyThemselves('BTP', build)

describe('a node that listens for BTP', () => {
  let scene: Awaited<ReturnType<typeof build>>
  beforeAll(async () => {
    scene = await build()
  }, 60_000)
  afterAll(async () => {
    await Promise.all([scene.alice.close(), scene.bob.close(), scene.carol.close()])
    await scene.node.destroy()
  })

  it('lets nobody in with a wrong token, and nobody act for another account', async () => {
    const stranger = new BtpPeer({ url: scene.url, token: 'token-of-nobody-0123456789abcdef' })
    await expect(stranger.connect()).rejects.toThrow()
    await stranger.close()
    // The token alone decides whose account it is: what alice sends is booked to alice.
    const packet = makePacket('test.node.bob', { amount: '3' })
    scene.bob.behaviour = () => fulfill(packet.fulfillment)
    expect(verdict(await scene.alice.send(packet.prepare))).toBe('fulfilled')
    expect(await scene.node.balance('carol')).toBe(0n)
    expect(await scene.node.balance('alice')).toBe(-3n)
  })

  it('goes on serving while it is flooded with sockets that do not authenticate', async () => {
    const sockets = Array.from({ length: FLOOD }, () => new WebSocket(scene.url))
    for (const socket of sockets) socket.on('error', () => undefined)
    for (let round = 0; round < 20; round++) {
      const packet = makePacket('test.node.bob')
      scene.bob.behaviour = () => fulfill(packet.fulfillment)
      expect(verdict(await scene.alice.send(packet.prepare))).toBe('fulfilled')
    }
    await waitFor('unauthenticated sockets are dropped', () =>
      sockets.every((s) => s.readyState === WebSocket.CLOSED),
    )
  })

  it('answers one of two packets under one request id and keeps the first whole', async () => {
    const first = makePacket('test.node.bob', { amount: '11' })
    const before = await scene.node.balance('alice')
    let release: (() => void) | undefined
    scene.bob.behaviour = () =>
      new Promise((resolve) => {
        release = () => resolve(fulfill(first.fulfillment))
      })
    scene.alice.sendRaw(77_000, first.prepare)
    await waitFor('bob has the first', () => release)
    scene.alice.sendRaw(77_000, makePacket('test.node.bob', { amount: '13' }).prepare)
    release!()
    await waitFor('the first is booked', async () => (await scene.node.balance('alice')) === before - 11n)
  })

  it('is not moved by answers to requests that it never made', async () => {
    const before = await scene.node.balance('bob')
    for (let id = 0; id < 200; id++) scene.bob.answerRaw(id, fulfill(Buffer.alloc(32)))
    const packet = makePacket('test.node.bob', { amount: '1' })
    scene.bob.behaviour = () => fulfill(packet.fulfillment)
    expect(verdict(await scene.alice.send(packet.prepare))).toBe('fulfilled')
    expect(await scene.node.balance('bob')).toBe(before + 1n)
  })

  it('drains on SIGTERM and exits 0 with its books kept', async () => {
    const balance = await scene.node.balance('bob')
    scene.node.signal('SIGTERM')
    expect(await scene.node.ended()).toBe(0)
    await scene.node.start()
    expect(await scene.node.balance('bob')).toBe(balance)
    const socket = new WebSocket(scene.url)
    await once(socket, 'open')
    socket.terminate()
  })
})
