import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { expectQuietBooks } from './support/books.ts'
import { btpGuest, btpHost, btpListener, secretsOf, tokenOf } from './support/settings.ts'
import { StreamReceiver } from './support/stream-ends.ts'
import { Wallets } from './support/wallets.ts'

const USD = { code: 'USD', scale: 6 }
const NANO_USD = { code: 'USD', scale: 9 }
const XRP = { code: 'XRP', scale: 6 }
const AMOUNT = 25_000_001n
const MAX_PACKET_AMOUNT = 400_000n
/** Smallest units of XRP per smallest unit of USD: 1 / 0.52. */
const [NUMERATOR, DENOMINATOR] = [100n, 52n]

interface Ports {
  aBtp: number
  bBtp: number
  aHttp: number
  bHttp: number
}

type Peering = 'BTP' | 'ILP over HTTP, synchronous' | 'ILP over HTTP, with callbacks'

/** The two sides of the peering: how A reaches B and how B reaches A. */
function peering(kind: Peering, ports: Ports): [Record<string, unknown>, Record<string, unknown>] {
  const a = { id: 'a', relation: 'peer' as const, asset: NANO_USD, routes: ['test.a'] }
  const b = { id: 'b', relation: 'peer' as const, asset: NANO_USD, routes: ['test.b'] }
  if (kind === 'BTP') return [btpHost(b, ports.bBtp), btpGuest(a)]
  const isAsync = kind === 'ILP over HTTP, with callbacks'
  const link = (us: string, ourPort: number, them: string, theirPort: number) => ({
    plugin: 'ilp-http',
    incoming: { scheme: 'bearer', token: `secret:${them}` },
    outgoing: {
      scheme: 'bearer',
      token: `secret:${us}`,
      url: `http://127.0.0.1:${theirPort}/ilp`,
      ...(isAsync
        ? { mode: 'async', callbackUrl: `http://127.0.0.1:${ourPort}/accounts/${them}/ilp/callback` }
        : {}),
    },
  })
  const [toB, toA] = [link('a', ports.aHttp, 'b', ports.bHttp), link('b', ports.bHttp, 'a', ports.aHttp)]
  return [btpGuest({ ...b, link: toB }), btpGuest({ ...a, link: toA })]
}

/** The token of a peering: the one who dials shows what the other knows it by. */
const secrets = (kind: Peering) => ({
  ...secretsOf('alice', 'bob', 'a', 'b'),
  ...(kind === 'BTP' ? { a: tokenOf('peering'), b: tokenOf('peering') } : {}),
})

describe.each<Peering>(['BTP', 'ILP over HTTP, synchronous', 'ILP over HTTP, with callbacks'])(
  'ilp-protocol-stream across two nodes that peer over %s, with a rate between',
  (kind) => {
    let [a, b]: [NodeProcess, NodeProcess] = [undefined!, undefined!]
    let [aBtp, bBtp]: [number, number] = [0, 0]
    const wallets = new Wallets()

    beforeAll(async () => {
      const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
      const [aHttp, bHttp] = [ports[2]!, ports[3]!]
      ;[aBtp, bBtp] = [ports[0]!, ports[1]!]
      const [toB, toA] = peering(kind, { aBtp, bBtp, aHttp, bHttp })
      const plugins = (btpPort: number, httpPort: number) => ({
        ...btpListener(btpPort),
        'ilp-http': { listen: { host: '127.0.0.1', port: httpPort } },
      })
      const limits = { maxPacketAmount: MAX_PACKET_AMOUNT.toString() }
      a = await NodeProcess.create(
        {
          node: { id: 'node-a', ilpAddress: 'test.a' },
          plugins: plugins(aBtp, aHttp),
          peers: [btpGuest({ id: 'alice', relation: 'child', asset: USD, limits }), toB],
        },
        secrets(kind),
      )
      b = await NodeProcess.create(
        {
          node: { id: 'node-b', ilpAddress: 'test.b' },
          plugins: plugins(bBtp, bHttp),
          peers: [btpGuest({ id: 'bob', relation: 'child', asset: XRP, limits }), toA],
          rates: { provider: 'fixed', base: 'USD', prices: { USD: '1', XRP: '0.52' } },
        },
        secrets(kind),
      )
      await Promise.all([a.start(), b.start()])
      await waitFor('the nodes are connected', async () => {
        const views = [
          a.admin<{ link: { connected: boolean } }>('GET', '/peers/b'),
          b.admin<{ link: { connected: boolean } }>('GET', '/peers/a'),
        ]
        return (await Promise.all(views)).every(({ link }) => link.connected)
      })
    }, 60_000)

    afterAll(async () => {
      await wallets.disconnect()
      await Promise.all([a?.destroy(), b?.destroy()])
    })

    it('pays, and sender, receiver and both ledgers agree to the unit', async () => {
      const alice = await wallets.dial(aBtp, tokenOf('alice'))
      const receiver = await StreamReceiver.start(await wallets.dial(bBtp, tokenOf('bob')))
      const { sent, delivered } = await receiver.payFrom(alice, AMOUNT)
      expect(sent).toBe(AMOUNT)
      expect(delivered).toBe(receiver.received)
      // Every packet may lose the fraction of a unit that it cannot carry, and no more.
      const whole = (AMOUNT * NUMERATOR) / DENOMINATOR
      expect(delivered).toBeLessThanOrEqual(whole)
      expect(delivered).toBeGreaterThan(whole - (AMOUNT / MAX_PACKET_AMOUNT) * 2n)

      await expectQuietBooks(a, b)
      expect(await a.balance('alice')).toBe(-AMOUNT)
      expect(await a.balance('b')).toBe(AMOUNT * 1_000n)
      expect(await b.balance('a')).toBe(-AMOUNT * 1_000n)
      expect(await b.balance('bob')).toBe(delivered)
    })

    it('pays back the other way, and the books still mirror each other', async () => {
      const before = { alice: await a.balance('alice'), bob: await b.balance('bob') }
      const bob = await wallets.dial(bBtp, tokenOf('bob'))
      const receiver = await StreamReceiver.start(await wallets.dial(aBtp, tokenOf('alice')))
      const { sent, delivered } = await receiver.payFrom(bob, 9_000_001n)
      expect(delivered).toBe(receiver.received)
      await expectQuietBooks(a, b)
      expect(await b.balance('bob')).toBe(before.bob - sent)
      expect(await a.balance('alice')).toBe(before.alice + delivered)
      expect(await a.balance('b')).toBe(-(await b.balance('a')))
    })
  },
)
