import { randomBytes } from 'node:crypto'
import { deserializeIlpPrepare, deserializeIlpReply } from 'ilp-packet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { type FakePeer, fulfill, makePacket, reject, verdict } from './fake-peer.ts'

const BOB = 'test.node.bob'
const UINT64_MAX = 2n ** 64n - 1n

/** A node with two accounts, `alice` (may owe 2^64-1) and `bob`, and `carol`, who may owe 1,000; all in one asset. */
export interface Scene {
  node: NodeProcess
  alice: FakePeer
  bob: FakePeer
  carol: FakePeer
}

interface PeerReply {
  reserved: string
  packetsInFlight: number
  link: { connected: boolean }
}

/** What a node owes its peers whatever they do, whichever protocol they speak. */
export function peersBreakOnlyThemselves(name: string, build: () => Promise<Scene>): void {
  describe(`a node between two peers over ${name}`, () => {
    let scene: Scene

    beforeAll(async () => {
      scene = await build()
    }, 60_000)
    afterAll(async () => {
      await Promise.all([scene.alice.close(), scene.bob.close(), scene.carol.close()])
      await scene.node.destroy()
    })

    const peer = (id: string) => scene.node.admin<PeerReply>('GET', `/peers/${id}`)
    const balances = async () => ({
      alice: await scene.node.balance('alice'),
      bob: await scene.node.balance('bob'),
    })

    it('books a fulfilled packet on both sides and changes nothing in it but amount and expiry', async () => {
      const before = await balances()
      const data = randomBytes(300)
      const packet = makePacket(BOB, { amount: '250', data })
      scene.bob.behaviour = () => fulfill(packet.fulfillment, Buffer.from('receipt'))
      const reply = deserializeIlpReply(await scene.alice.send(packet.prepare))
      expect(reply).toEqual({ fulfillment: packet.fulfillment, data: Buffer.from('receipt') })
      const sent = deserializeIlpPrepare(packet.prepare)
      const arrived = deserializeIlpPrepare(scene.bob.received.at(-1)!)
      expect({ ...arrived, expiresAt: null }).toEqual({ ...sent, expiresAt: null })
      expect(arrived.expiresAt.getTime()).toBeLessThan(sent.expiresAt.getTime())
      expect(await balances()).toEqual({ alice: before.alice - 250n, bob: before.bob + 250n })
    })

    it('answers F05 to a wrong fulfillment and moves no balance', async () => {
      const before = await balances()
      scene.bob.behaviour = () => fulfill(randomBytes(32))
      expect(verdict(await scene.alice.send(makePacket(BOB).prepare))).toBe('F05')
      expect(await balances()).toEqual(before)
      expect((await peer('alice')).reserved).toBe('0')
    })

    it('answers R00 on time, and drops, logs and does not book a fulfill that comes after the expiry', async () => {
      const before = await balances()
      const packet = makePacket(BOB, { expiresInMs: 2_500 })
      let late: ((reply: Buffer) => void) | undefined
      scene.bob.behaviour = () =>
        new Promise((resolve) => {
          late = resolve
        })
      const sentAt = Date.now()
      expect(verdict(await scene.alice.send(packet.prepare))).toBe('R00')
      expect(Date.now() - sentAt).toBeLessThan(2_500)
      late!(fulfill(packet.fulfillment))
      if (name === 'BTP')
        await waitFor('late fulfill is logged', () => scene.node.output.includes('late fulfill dropped'))
      expect(await balances()).toEqual(before)
    })

    it('restores both sides when the packet is rejected, and passes the reject on as it came', async () => {
      const before = await balances()
      scene.bob.behaviour = async () => {
        expect((await peer('alice')).reserved).toBe('77')
        return reject('F99', 'not today')
      }
      const reply = deserializeIlpReply(await scene.alice.send(makePacket(BOB, { amount: '77' }).prepare))
      expect(reply).toMatchObject({ code: 'F99', message: 'not today', triggeredBy: 'test.someone' })
      expect((await peer('alice')).reserved).toBe('0')
      expect(await balances()).toEqual(before)
    })

    it('lets exactly 10 of 1,000 packets at once through a credit limit that has room for 10', async () => {
      const before = await scene.node.balance('carol')
      const packets = new Map<string, Buffer>()
      let open: (() => void) | undefined
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      scene.bob.behaviour = async (prepare) => {
        await opened
        const condition = deserializeIlpPrepare(prepare).executionCondition.toString('hex')
        return fulfill(packets.get(condition)!)
      }
      let answered = 0
      const verdicts = Array.from({ length: 1_000 }, async () => {
        const packet = makePacket(BOB)
        packets.set(
          deserializeIlpPrepare(packet.prepare).executionCondition.toString('hex'),
          packet.fulfillment,
        )
        const answer = verdict(await scene.carol.send(packet.prepare))
        answered++
        return answer
      })
      await waitFor('all but 10 are refused', () => answered === 990, 25_000)
      open!()
      const counts = Map.groupBy(await Promise.all(verdicts), (answer) => answer)
      expect([counts.get('fulfilled')?.length, counts.get('T04')?.length]).toEqual([10, 990])
      expect(await scene.node.balance('carol')).toBe(before - 1_000n)
    })

    it('carries the largest amount there is, exactly', async () => {
      const before = await balances()
      const packet = makePacket(BOB, { amount: String(UINT64_MAX - 1_000_000n) })
      scene.bob.behaviour = () => fulfill(packet.fulfillment)
      expect(verdict(await scene.alice.send(packet.prepare))).toBe('fulfilled')
      expect(deserializeIlpPrepare(scene.bob.received.at(-1)!).amount).toBe(String(UINT64_MAX - 1_000_000n))
      expect(await balances()).toEqual({
        alice: before.alice - (UINT64_MAX - 1_000_000n),
        bob: before.bob + (UINT64_MAX - 1_000_000n),
      })
      const whole = makePacket(BOB, { amount: String(UINT64_MAX) })
      expect(verdict(await scene.alice.send(whole.prepare))).toBe('T04')
    })

    it('carries the largest data there is, both ways', async () => {
      const data = randomBytes(32_767)
      const packet = makePacket(BOB, { amount: '1', data })
      scene.bob.behaviour = () => fulfill(packet.fulfillment, data)
      const reply = deserializeIlpReply(await scene.alice.send(packet.prepare))
      expect(Buffer.compare(reply.data, data)).toBe(0)
      expect(Buffer.compare(deserializeIlpPrepare(scene.bob.received.at(-1)!).data, data)).toBe(0)
    })

    it('takes a packet that is sent twice for two packets', async () => {
      const before = await balances()
      const packet = makePacket(BOB, { amount: '5' })
      scene.bob.behaviour = () => fulfill(packet.fulfillment)
      const replies = await Promise.all([scene.alice.send(packet.prepare), scene.alice.send(packet.prepare)])
      expect(replies.map(verdict)).toEqual(['fulfilled', 'fulfilled'])
      expect(await balances()).toEqual({ alice: before.alice - 10n, bob: before.bob + 10n })
    })

    it('answers T01 when the next hop is gone, holds nothing, and goes on when it is back', async () => {
      const before = await balances()
      await scene.bob.close()
      if (name === 'BTP')
        await waitFor('bob is seen as gone', async () => !(await peer('bob')).link.connected)
      expect(verdict(await scene.alice.send(makePacket(BOB).prepare))).toBe('T01')
      expect(await peer('alice')).toMatchObject({ reserved: '0', packetsInFlight: 0 })
      expect(await balances()).toEqual(before)
      await scene.bob.connect()
      const back = await waitFor('packets pass again', async () => {
        const packet = makePacket(BOB)
        scene.bob.behaviour = () => fulfill(packet.fulfillment)
        return verdict(await scene.alice.send(packet.prepare)) === 'fulfilled'
      })
      expect(back).toBe(true)
    })

    it.each([
      ['F01', 'rubbish', () => Buffer.from('not a packet at all')],
      ['F01', 'a Fulfill sent as a request', () => fulfill(randomBytes(32))],
      ['R02', 'an expired packet', () => makePacket(BOB, { expiresInMs: -1_000 }).prepare],
      ['R02', 'a packet with too little time left', () => makePacket(BOB, { expiresInMs: 1_500 }).prepare],
      ['F02', 'an address of another network', () => makePacket('g.somebody').prepare],
      ['F02', 'an address that nobody has', () => makePacket('test.node.nobody').prepare],
      ['F02', 'a packet to its own sender', () => makePacket('test.node.alice').prepare],
      ['F01', 'an unknown peer protocol', () => makePacket('peer.unknown', { amount: '0' }).prepare],
    ])('answers %s to %s', async (code, _what, make) => {
      const before = await balances()
      expect(verdict(await scene.alice.send(make()))).toBe(code)
      expect(await balances()).toEqual(before)
    })

    it('answers F08 with what came and what may come', async () => {
      const reply = deserializeIlpReply(await scene.carol.send(makePacket(BOB, { amount: '501' }).prepare))
      expect(reply).toMatchObject({ code: 'F08' })
      expect([reply.data.readBigUInt64BE(0), reply.data.readBigUInt64BE(8)]).toEqual([501n, 500n])
    })

    it('keeps its books balanced through all of it', async () => {
      const check = await scene.node.admin<{ balanced: boolean }>('GET', '/ledger/self-check')
      expect(check.balanced).toBe(true)
      expect(await peer('alice')).toMatchObject({ reserved: '0', packetsInFlight: 0 })
    })
  })
}
