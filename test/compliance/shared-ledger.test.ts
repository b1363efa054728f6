import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ledger, ReserveOutcome } from '../../src/ledger/ledger.ts'
import { SharedLedger } from '../../src/ledger/tigerbeetle/shared-ledger.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { findTigerBeetleOrWarn, TigerBeetleServer } from '../support/tigerbeetle-server.ts'
import { AnswerLosingProxy } from '../unit/ledger-tigerbeetle/answer-losing-proxy.ts'
import { ledgerCompliance } from './ledger.ts'
import { LedgerDriver, SLOTS } from './ledger-driver.ts'
import { expectBalanced, type LedgerHarness } from './ledger-harness.ts'

/** A server that shares two cores with another test file takes its time. */
const TIMEOUT_MS = 5_000

const binary = findTigerBeetleOrWarn('the compliance tests of the shared ledger')

describe.skipIf(binary === undefined)('shared ledger over TigerBeetle', () => {
  let server: TigerBeetleServer

  beforeAll(async () => {
    server = await TigerBeetleServer.start(binary!)
  })

  afterAll(async () => {
    await server?.stop()
  })

  ledgerCompliance('shared, TigerBeetle', () => makeHarness(server))

  it('lets exactly 10 of 1,000 parallel packets of two processes through where there is room for 10', async () => {
    const harness = await makeHarness(server)
    try {
      const ledgers = [await harness.open(), await harness.open()]
      const spec = { assetCode: 'USD', assetScale: 2, payableLimit: undefined }
      const sides = []
      for (const ledger of ledgers) {
        sides.push({
          driver: new LedgerDriver(ledger),
          alice: await ledger.openAccount({ ...spec, id: 'alice', creditLimit: 1_000n }),
          bob: await ledger.openAccount({ ...spec, id: 'bob', creditLimit: 0n }),
        })
      }
      const answers = await Promise.all(
        sides.flatMap(({ driver, alice, bob }) =>
          Array.from({ length: 500 }, async () => ({
            driver,
            ...(await driver.reserve(alice, bob, 100, 100)),
          })),
        ),
      )
      const through = answers.filter(({ outcome }) => outcome === ReserveOutcome.reserved)
      expect(through).toHaveLength(10)
      expect(answers.filter(({ outcome }) => outcome === ReserveOutcome.creditExceeded)).toHaveLength(990)
      await Promise.all(through.map(({ driver, slot }) => driver.commit(slot)))
      for (const [at, ledger] of ledgers.entries()) {
        await ledger.probe()
        const { alice, bob } = sides[at]!
        expect([alice.balance, alice.reserved, bob.balance, bob.outgoing]).toEqual([-1_000, 0, 1_000, 0])
        await expectBalanced(ledger)
      }
    } finally {
      await harness.dispose()
    }
  })
})

/** Books of their own in the shared cluster. */
async function makeHarness(server: TigerBeetleServer): Promise<LedgerHarness> {
  const proxy = await AnswerLosingProxy.start(() => server.port)
  const namespace = randomUUID()
  const ledgers = new Set<Ledger>()
  /** Ledgers whose last call was a release. */
  const released = new WeakSet<Ledger>()
  return {
    second: 'shares',
    reservationsOutliveCrash: true,
    faults: {
      hang: async () => server.pause(),
      loseAnswers: async () => proxy.mute(),
      heal: async () => {
        server.resume()
        proxy.heal()
      },
    },
    open: async () => {
      const ledger = new SharedLedger(
        {
          slots: SLOTS,
          clusterId: 0n,
          addresses: [proxy.address],
          timeoutMs: TIMEOUT_MS,
          nodeId: 'test',
          namespace,
        },
        { clock: systemClock, logger: silentLogger },
      )
      ledgers.add(ledger)
      const { release, commit } = SharedLedger.prototype
      ledger.release = (slot) => {
        released.add(ledger)
        release.call(ledger, slot)
      }
      ledger.commit = (slot) => {
        released.delete(ledger)
        commit.call(ledger, slot)
      }
      await ledger.start()
      return ledger
    },
    crash: async (ledger) => {
      // Releases just before are let through: what they leave pending would block credit for minutes.
      for (let probe = 0; probe < 2 && released.has(ledger); probe++) await ledger.probe()
      ;(ledger as SharedLedger).abort()
    },
    dispose: async () => {
      server.resume()
      proxy.heal()
      for (const ledger of ledgers) await ledger.stop()
      proxy.stop()
    },
  }
}
