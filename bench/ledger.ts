import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { ExclusiveLedger } from '../src/ledger/exclusive-ledger.ts'
import type { LedgerAccount } from '../src/ledger/ledger.ts'
import { SqliteStore } from '../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../src/lib/clock.ts'
import { silentLogger } from '../src/lib/logger.ts'

/**
 * Packets per second and CPU per packet (both threads) of reserve + commit over the sqlite ledger, closed loop: as
 * many packets in flight as the batch is to hold. `node bench/ledger.ts [directory]`.
 */
/** Accounts that pay each other at random: some peers, and so many that hardly a pair of them meets twice. */
const ACCOUNT_COUNTS = [10, 1_000, 10_000]
const SLOTS = 65_536
const ROUNDS = 3
const SECONDS = 3

interface Result {
  rate: number
  cpuUs: number
  p50Ms: number
  p99Ms: number
}

async function run(directory: string, batch: number, accountCount: number): Promise<Result> {
  const path = join(directory, `ledger-${batch}-${Math.random()}.db`)
  const store = new SqliteStore({ path, packetDetailDays: 30 }, { clock: systemClock, logger: silentLogger })
  const ledger = new ExclusiveLedger(
    { slots: SLOTS },
    {
      store,
      clock: systemClock,
      logger: silentLogger,
      onFault: (error) => {
        throw error
      },
    },
  )
  await ledger.start()
  const accounts: LedgerAccount[] = []
  for (let i = 0; i < accountCount; i++) {
    const spec = { id: `peer${i}`, assetCode: 'USD', assetScale: 9, payableLimit: undefined }
    accounts.push(await ledger.openAccount({ ...spec, creditLimit: 2n ** 52n }))
  }
  let done = 0
  let left = 0
  let stopped = false
  let startedAt = 0
  const batchMs: number[] = []
  const pick = (): LedgerAccount => accounts[Math.floor(Math.random() * accountCount)]!
  let finish = (): void => undefined
  const turn = (): void => {
    startedAt = performance.now()
    left = batch
    for (let slot = 0; slot < batch; slot++) {
      ledger.reserve(slot, pick(), pick(), 1_000, 999)
      ledger.commit(slot)
    }
  }
  ledger.listener = {
    reserved: () => undefined,
    committed: () => {
      done++
      if (--left > 0) return
      batchMs.push(performance.now() - startedAt)
      if (stopped) finish()
      else turn()
    },
  }
  const begin = performance.now()
  const cpu = process.cpuUsage()
  await new Promise<void>((resolve) => {
    finish = resolve
    setTimeout(() => {
      stopped = true
    }, SECONDS * 1000)
    turn()
  })
  const tookMs = performance.now() - begin
  await ledger.stop()
  const used = process.cpuUsage(cpu)
  batchMs.sort((a, b) => a - b)
  return {
    rate: Math.round((done / tookMs) * 1000),
    cpuUs: (used.user + used.system) / done,
    p50Ms: batchMs[Math.floor(batchMs.length / 2)]!,
    p99Ms: batchMs[Math.floor(batchMs.length * 0.99)]!,
  }
}

const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'causeway-bench-'))
try {
  for (const accountCount of ACCOUNT_COUNTS) {
    console.log(`${accountCount} accounts, best of ${ROUNDS} rounds by CPU`)
    for (const batch of [1, 16, 128, 1024]) {
      const results: Result[] = []
      for (let round = 0; round < ROUNDS; round++) results.push(await run(directory, batch, accountCount))
      const { rate, cpuUs, p50Ms, p99Ms } = results.toSorted((a, b) => a.cpuUs - b.cpuUs)[0]!
      const figures = [`batch ${batch}`, `${rate} packets/s`, `${cpuUs.toFixed(2)} us CPU/packet`]
      console.log([...figures, `p50 ${p50Ms.toFixed(2)} ms`, `p99 ${p99Ms.toFixed(2)} ms`].join('\t'))
    }
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}
