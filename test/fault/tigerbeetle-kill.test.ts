import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CRASH_VARIABLE } from '../../src/lib/crash-point.ts'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { findTigerBeetleOrWarn, TigerBeetleServer } from '../support/tigerbeetle-server.ts'
import { readNodeBooks } from './support/node-books.ts'
import { readPaidHistory } from './support/read-history.ts'
import { createTwoAssetNode, type TwoAssetNode } from './support/two-asset-node.ts'

const RANDOM_ROUNDS = 6
const LOAD_MIN_MS = 50
const LOAD_MAX_MS = 450
const DEATH_DEADLINE_MS = 20_000

const binary = findTigerBeetleOrWarn('the kill tests of a node over TigerBeetle')
const seed = Number(process.env.FAULT_SEED ?? randomInt(2 ** 31))
const random = new SeededRandom(seed)

/** The points that packets pass in each mode. */
const POINTS = {
  exclusive: ['ledger.batch-closed:1', 'ledger.batch-closed:7', 'ledger.committed:1', 'ledger.committed:7'],
  shared: ['forward.reserved:1', 'forward.sent:333', 'forward.fulfilled:333', 'forward.relayed:333'],
} as const
const modes = ['exclusive', 'shared'] as const

describe.skipIf(binary === undefined).each(modes)(
  'a node over TigerBeetle in mode %s that is killed under load',
  (mode) => {
    let server: TigerBeetleServer
    let scene: TwoAssetNode
    let rounds = 0
    let booked = 0
    let notRelayed = 0
    let lost = 0
    let doubled = 0

    beforeAll(async () => {
      server = await TigerBeetleServer.start(binary!)
      scene = await createTwoAssetNode({
        ledger: { backend: 'tigerbeetle', mode, tigerbeetle: { addresses: [server.address] } },
        // Without a spread, every packet is one transfer of its own amount in the payer's history.
        spread: '0',
      })
    }, 60_000)
    afterAll(async () => {
      console.info(
        `kill -9 over TigerBeetle, mode ${mode}, seed ${seed}: ${rounds} rounds, ${booked} booked; FULFILLs lost ${lost}, doubled ` +
          `${doubled}; booked and not relayed ${notRelayed}`,
      )
      await Promise.all((scene?.flows ?? []).map((flow) => flow.close()))
      await scene?.node.destroy()
      await server?.stop()
    })

    it(`loses nothing and books nothing twice over ${RANDOM_ROUNDS} kills at random moments`, async () => {
      for (let round = 0; round < RANDOM_ROUNDS; round++) {
        await start()
        await load()
        await delay(LOAD_MIN_MS + random.below(LOAD_MAX_MS - LOAD_MIN_MS))
        scene.node.signal('SIGKILL')
        await died()
      }
    }, 600_000)

    it.each(POINTS[mode])(
      'loses nothing and books nothing twice when it dies at %s',
      async (point) => {
        await start({ [CRASH_VARIABLE]: point })
        await load()
        await died()
      },
      60_000,
    )

    it('has all of it in its books at the end', async () => {
      await start()
      expect(booked).toBeGreaterThan(rounds)
    }, 60_000)

    async function load(): Promise<void> {
      await Promise.all(scene.flows.map((flow) => flow.connect()))
      for (const flow of scene.flows) flow.begin()
    }

    async function died(): Promise<void> {
      const alive = delay(DEATH_DEADLINE_MS, 'is still alive', { ref: false })
      expect(await Promise.race([scene.node.ended(), alive]), scene.node.output.slice(-2_000)).toBe(null)
      await Promise.all(scene.flows.map((flow) => flow.disconnected()))
      rounds++
    }

    /** Starts the node, and holds its books against what the peers know of all rounds before. */
    async function start(env: Record<string, string> = {}): Promise<void> {
      const { node, flows } = scene
      await node.start(env)
      const books = await readNodeBooks(node)
      expect(books.balanced).toBe(true)
      if (mode === 'exclusive') expect(books.pending).toBe(0n)
      expect(
        books.held.every(({ reserved, packetsInFlight }) => reserved === '0' && packetsInFlight === 0),
      ).toBe(true)
      booked = 0
      notRelayed = 0
      for (const { payerId, payeeId, sent } of flows) {
        const amounts = (await readPaidHistory(node, payerId)).map(({ amount }) => Number(amount))
        const inBooks = new Set(amounts)
        doubled += amounts.length - inBooks.size
        const packets = amounts.map((amount) => sent.get(amount))
        expect(packets.filter((packet) => packet === undefined || !packet.fulfilled)).toEqual([])
        lost += [...sent.values()].filter((p) => p.outcome === 'fulfilled' && !inBooks.has(p.amount)).length
        expect({ lost, doubled }, `${payerId}, seed ${seed}`).toEqual({ lost: 0, doubled: 0 })
        let paid = 0n
        let earned = 0n
        for (const packet of packets) {
          paid += BigInt(packet!.amount)
          earned += packet!.delivered!
          if (packet!.outcome !== 'fulfilled') notRelayed++
        }
        // In shared mode the cluster holds what was in flight until the pending transfers time out.
        const inFlight = [...sent.values()].filter((p) => p.outcome === undefined && !inBooks.has(p.amount))
        const inFlightSum = inFlight.reduce((sum, { amount }) => sum + BigInt(amount), 0n)
        expect(books.debitsPending.get(payerId)).toBeLessThanOrEqual(inFlightSum)
        booked += packets.length
        expect([books.clearing.get(payerId), books.clearing.get(payeeId)]).toEqual([-paid, earned])
      }
    }
  },
)
