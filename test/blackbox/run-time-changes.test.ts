import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { BtpPeer } from './btp-peer.ts'
import { fulfill, makePacket, verdict } from './fake-peer.ts'

const ASSET = { code: 'USD', scale: 6 }
const ALICE_TOKEN = 'token-of-alice-0123456789abcdef'
const DAVE_TOKEN = 'token-of-dave-0123456789abcdef'

interface PeerReply {
  id: string
  source: string
  creditLimit: string
  settings: { link: { token: string }; limits: { maxPacketAmount?: string } }
}

describe('a node whose operator changes it while it runs', () => {
  let node: NodeProcess
  let url: string
  const peers: BtpPeer[] = []

  const dial = async (token: string) => {
    const peer = new BtpPeer({ url, token })
    await peer.connect()
    peers.push(peer)
    return peer
  }
  const dave = {
    id: 'dave',
    relation: 'child',
    asset: ASSET,
    creditLimit: '1000',
    link: { plugin: 'btp', mode: 'server', token: DAVE_TOKEN },
  }
  /** Has dave pay alice. */
  const pay = async (from: BtpPeer, to: BtpPeer, amount: string) => {
    const packet = makePacket('test.node.alice', { amount })
    to.behaviour = () => fulfill(packet.fulfillment)
    return verdict(await from.send(packet.prepare))
  }

  beforeAll(async () => {
    const port = await freePort()
    url = `ws://127.0.0.1:${port}`
    const alice = { ...dave, id: 'alice', link: { plugin: 'btp', mode: 'server', token: 'secret:alice' } }
    node = await NodeProcess.create(
      { plugins: { btp: { listen: { host: '127.0.0.1', port } } }, peers: [alice] },
      { alice: ALICE_TOKEN },
    )
    await node.start()
  }, 60_000)

  afterAll(async () => {
    await Promise.all(peers.map((peer) => peer.close()))
    await node.destroy()
  })

  it('takes a new peer at once, and never shows or stores its token in the clear', async () => {
    const added = await node.admin<PeerReply>('POST', '/peers', dave)
    expect(added).toMatchObject({ id: 'dave', source: 'admin', creditLimit: '1000' })
    expect(JSON.stringify(added)).not.toContain(DAVE_TOKEN)
    const [alice, davePeer] = [await dial(ALICE_TOKEN), await dial(DAVE_TOKEN)]
    expect(await pay(davePeer, alice, '10')).toBe('fulfilled')
    for (const file of ['node.sqlite', 'node.sqlite-wal']) {
      expect(readFileSync(join(node.directory, 'data', file)).includes(DAVE_TOKEN)).toBe(false)
    }
    expect(node.output).not.toContain(DAVE_TOKEN)
  })

  it('changes limits from the next packet on', async () => {
    const [alice, davePeer] = peers as [BtpPeer, BtpPeer]
    await node.admin('PATCH', '/peers/dave', { limits: { maxPacketAmount: '5' } })
    expect(await pay(davePeer, alice, '6')).toBe('F08')
    await node.admin('PATCH', '/peers/dave', { limits: { maxPacketAmount: null }, creditLimit: '12' })
    expect(await pay(davePeer, alice, '3')).toBe('T04')
    expect(await pay(davePeer, alice, '2')).toBe('fulfilled')
    expect(await node.balance('dave')).toBe(-12n)
  })

  it.each([
    ['an unknown field', { ...dave, id: 'eve', colour: 'red' }],
    ['an amount that is no whole number', { ...dave, id: 'eve', creditLimit: '1.5' }],
    ['a plugin that the configuration does not name', { ...dave, id: 'eve', link: { plugin: './evil.js' } }],
    ['a secret from a file', { ...dave, id: 'eve', link: { ...dave.link, token: 'file:/etc/passwd' } }],
    ['a link option that does not exist', { ...dave, id: 'eve', link: { ...dave.link, tokn: 'x' } }],
    ['an id that is taken', dave],
  ])('refuses a peer with %s and changes nothing', async (_what, peer) => {
    await expect(node.admin('POST', '/peers', peer)).rejects.toThrow(/VALIDATION_ERROR|CONFLICT/)
    const ids = (await node.admin<PeerReply[]>('GET', '/peers')).map(({ id }) => id)
    expect(ids.sort()).toEqual(['alice', 'dave'])
  })

  it('keeps the old link when a new one cannot work', async () => {
    const change = { link: { plugin: 'btp', mode: 'server', token: 'short' } }
    await expect(node.admin('PATCH', '/peers/dave', change)).rejects.toThrow('VALIDATION_ERROR')
    const again = await dial(DAVE_TOKEN)
    expect(verdict(await again.send(makePacket('test.node.nobody').prepare))).toBe('F02')
  })

  it('sets, resolves and removes routes', async () => {
    await node.admin('PUT', '/routes', { prefix: 'test.far', peerId: 'alice' })
    const resolved = await node.admin<{ peerId: string }>('GET', '/routes/resolve?address=test.far.away')
    expect(resolved.peerId).toBe('alice')
    await expect(node.admin('PUT', '/routes', { prefix: 'test.x', peerId: 'nobody' })).rejects.toThrow(
      'VALIDATION_ERROR',
    )
  })

  it('knows all of it after a restart', async () => {
    node.signal('SIGTERM')
    expect(await node.ended()).toBe(0)
    await node.start()
    const ids = (await node.admin<PeerReply[]>('GET', '/peers')).map(({ id, creditLimit }) => [
      id,
      creditLimit,
    ])
    expect(ids).toEqual([
      ['alice', '1000'],
      ['dave', '12'],
    ])
    expect(await node.balance('dave')).toBe(-12n)
    const resolved = await node.admin<{ peerId: string }>('GET', '/routes/resolve?address=test.far.away')
    expect(resolved.peerId).toBe('alice')
    await dial(DAVE_TOKEN)
    await node.admin('DELETE', '/routes?prefix=test.far')
    await node.admin('DELETE', '/peers/dave')
    expect((await node.admin<PeerReply[]>('GET', '/peers')).map(({ id }) => id)).toEqual(['alice'])
    await expect(node.admin('DELETE', '/peers/alice')).rejects.toThrow('CONFLICT')
  })

  it('reloads its file on SIGHUP and names what needs a restart', async () => {
    const path = join(node.directory, 'causeway.yaml')
    const config = parse(readFileSync(path, 'utf8')) as {
      peers: { creditLimit: string }[]
      node: { id: string }
    }
    config.peers[0]!.creditLimit = '77'
    config.node.id = 'renamed'
    writeFileSync(path, stringify(config))
    node.signal('SIGHUP')
    await waitFor('the limit is taken over', async () => {
      const alice = await node.admin<PeerReply>('GET', '/peers/alice')
      return alice.creditLimit === '77'
    })
    await waitFor('the restart is named', () =>
      /configuration reloaded.*needsRestart.*"node"/.test(node.output),
    )
    writeFileSync(path, 'node: { id: 7 }\n')
    node.signal('SIGHUP')
    await waitFor('a bad file is refused', () => node.output.includes('configuration not reloaded'))
    expect((await node.admin<PeerReply>('GET', '/peers/alice')).creditLimit).toBe('77')
  })
})
