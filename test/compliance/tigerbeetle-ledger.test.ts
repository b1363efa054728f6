import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { ExclusiveLedger } from '../../src/ledger/exclusive-ledger.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { TigerBeetleStore } from '../../src/ledger/tigerbeetle/tigerbeetle-store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { findTigerBeetleOrWarn, TigerBeetleServer } from '../support/tigerbeetle-server.ts'
import { AnswerLosingProxy } from '../unit/ledger-tigerbeetle/answer-losing-proxy.ts'
import { ledgerCompliance } from './ledger.ts'
import { SLOTS } from './ledger-driver.ts'
import type { LedgerHarness } from './ledger-harness.ts'

/** A server that shares two cores with another test file takes its time. */
const TIMEOUT_MS = 5_000
const TAKEOVER_WAIT_MS = 600

const binary = findTigerBeetleOrWarn('the compliance tests of the exclusive ledger over TigerBeetle')

describe.skipIf(binary === undefined)('exclusive ledger over TigerBeetle', () => {
  let server: TigerBeetleServer

  beforeAll(async () => {
    server = await TigerBeetleServer.start(binary!)
  })

  afterAll(async () => {
    await server?.stop()
  })

  ledgerCompliance('exclusive, TigerBeetle', () => makeHarness(server))
})

/** Books of their own in the shared cluster. */
async function makeHarness(server: TigerBeetleServer): Promise<LedgerHarness> {
  const proxy = await AnswerLosingProxy.start(() => server.port)
  const namespace = randomUUID()
  const stores = new Map<Ledger, TigerBeetleStore>()
  return {
    second: 'refused',
    reservationsOutliveCrash: false,
    faults: {
      hang: async () => server.pause(),
      loseAnswers: async () => proxy.mute(),
      heal: async () => {
        server.resume()
        proxy.heal()
      },
    },
    open: async () => {
      const deps = { clock: systemClock, logger: silentLogger }
      const store = new TigerBeetleStore(
        {
          clusterId: 0n,
          addresses: [proxy.address],
          timeoutMs: TIMEOUT_MS,
          namespace,
          takeoverWaitMs: TAKEOVER_WAIT_MS,
        },
        deps,
      )
      const options = { slots: SLOTS, batchSlowMs: TIMEOUT_MS, probeDeadlineMs: TIMEOUT_MS, retryMaxMs: 200 }
      const ledger = new ExclusiveLedger(options, { ...deps, store, onFault: () => undefined })
      await ledger.start()
      stores.set(ledger, store)
      return ledger
    },
    crash: async (ledger) => {
      stores.get(ledger)?.abort()
    },
    dispose: async () => {
      server.resume()
      proxy.heal()
      for (const [ledger, store] of stores) {
        await ledger.stop()
        store.abort()
      }
      proxy.stop()
    },
  }
}
