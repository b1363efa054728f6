import { writeSync } from 'node:fs'
import { ExclusiveLedger } from '../../../../src/ledger/exclusive-ledger.ts'
import { SqliteStore } from '../../../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'

/**
 * Books packets until it is killed, alice paying bob (one asset) and xena (another) in turn. On stdout: `issued <n>`
 * before the n-th packet is committed, `booked <n>` when the ledger says that n packets are.
 */
const SLOTS = 256
const [, , path = ''] = process.argv

const store = new SqliteStore({ path, packetDetailDays: 1 }, { clock: systemClock, logger: silentLogger })
const ledger = new ExclusiveLedger(
  { slots: SLOTS, maxBatchRecords: 48 },
  { store, clock: systemClock, logger: silentLogger, onFault: (error) => fail(error) },
)
await ledger.start()
const spec = { assetCode: 'USD', assetScale: 2, creditLimit: 2n ** 60n, payableLimit: undefined }
const alice = await ledger.openAccount({ ...spec, id: 'alice' })
const bob = await ledger.openAccount({ ...spec, id: 'bob' })
const xena = await ledger.openAccount({ ...spec, id: 'xena', assetCode: 'XRP', assetScale: 6 })
let issued = 0
let booked = 0

function issue(slot: number): void {
  writeSync(1, `issued ${++issued}\n`)
  ledger.reserve(slot, alice, issued % 2 === 0 ? bob : xena, 10, 7)
  ledger.commit(slot)
}

function fail(error: Error): never {
  writeSync(2, `${error.stack}\n`)
  process.exit(3)
}

ledger.listener = {
  reserved: () => undefined,
  committed: (slot) => {
    writeSync(1, `booked ${++booked}\n`)
    issue(slot)
  },
}
for (let slot = 0; slot < SLOTS; slot++) issue(slot)
