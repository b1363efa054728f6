import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ExclusiveLedger } from '../../src/ledger/exclusive-ledger.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { SqliteStore } from '../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { FaultyLedgerStore } from './faulty-ledger-store.ts'
import { ledgerCompliance } from './ledger.ts'
import { SLOTS } from './ledger-driver.ts'
import type { BackendFaults, LedgerHarness } from './ledger-harness.ts'

const CALL_DEADLINE_MS = 200

ledgerCompliance('exclusive over sqlite', async (): Promise<LedgerHarness> => {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-ledger-'))
  const stores = new Map<Ledger, FaultyLedgerStore>()
  let newest: FaultyLedgerStore | undefined
  const faults: BackendFaults = {
    hang: async () => newest?.hang(),
    unreachable: async () => newest?.unreachable(),
    loseAnswers: async () => newest?.loseAnswers(),
    heal: async () => newest?.heal(),
  }
  return {
    second: 'refused',
    reservationsOutliveCrash: false,
    faults,
    open: async () => {
      const file = { path: join(directory, 'ledger.db'), packetDetailDays: 30, lockWaitMs: 50 }
      const sqlite = new SqliteStore(file, { clock: systemClock, logger: silentLogger })
      const store = new FaultyLedgerStore(sqlite, CALL_DEADLINE_MS)
      const ledger = new ExclusiveLedger(
        { slots: SLOTS, batchSlowMs: 100, retryMinMs: 5, retryMaxMs: 50, probeDeadlineMs: 150 },
        { store, clock: systemClock, logger: silentLogger, onFault: () => undefined },
      )
      await ledger.start()
      stores.set(ledger, store)
      newest = store
      return ledger
    },
    crash: async (ledger) => await stores.get(ledger)?.stop(),
    dispose: async () => {
      for (const store of stores.values()) await store.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
})
