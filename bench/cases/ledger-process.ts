import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { ExclusiveLedger } from '../../src/ledger/exclusive-ledger.ts'
import type { LedgerAccount } from '../../src/ledger/ledger.ts'
import { SqliteStore } from '../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { LatencyHistogram } from '../load/latency-histogram.ts'
import type { WindowResult } from '../load/load.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'

/** What the process is to do; its one argument, as JSON. */
export interface LedgerRun {
  accounts: number
  inFlight: number
  warmUpMs: number
  measureMs: number
}

const SLOTS = 65_536
const AMOUNT_IN = 1_000
const AMOUNT_OUT = 999

await withTemporaryDirectory(async (directory) => {
  const result = await measure(directory, JSON.parse(process.argv[2]!) as LedgerRun)
  process.send!(result)
})
process.disconnect()

/** A closed loop of reserve and commit; each packet goes from one account to another, both by chance. */
async function measure(directory: string, run: LedgerRun): Promise<WindowResult> {
  const deps = { clock: systemClock, logger: silentLogger }
  const store = new SqliteStore({ path: join(directory, 'ledger.sqlite'), packetDetailDays: 30 }, deps)
  const fail = (error: Error) => {
    throw error
  }
  const ledger = new ExclusiveLedger({ slots: SLOTS }, { ...deps, store, onFault: fail })
  await ledger.start()
  const accounts: LedgerAccount[] = []
  for (let index = 0; index < run.accounts; index++) {
    const spec = { id: `peer${index}`, assetCode: 'USD', assetScale: 9, payableLimit: undefined }
    accounts.push(await ledger.openAccount({ ...spec, creditLimit: 2n ** 52n }))
  }
  const startedAt = new Float64Array(run.inFlight)
  const latencies = new LatencyHistogram()
  let done = 0
  let isRunning = true
  let isMeasuring = false
  const begin = (slot: number): void => {
    const payer = Math.floor(Math.random() * run.accounts)
    const payee = (payer + 1 + Math.floor(Math.random() * (run.accounts - 1))) % run.accounts
    startedAt[slot] = performance.now()
    ledger.reserve(slot, accounts[payer]!, accounts[payee]!, AMOUNT_IN, AMOUNT_OUT)
    ledger.commit(slot)
  }
  ledger.listener = {
    reserved: () => undefined,
    committed: (slot) => {
      if (isMeasuring) {
        done++
        latencies.add(performance.now() - startedAt[slot]!)
      }
      if (isRunning) begin(slot)
    },
  }
  for (let slot = 0; slot < run.inFlight; slot++) begin(slot)
  await delay(run.warmUpMs)
  isMeasuring = true
  const cpu = process.cpuUsage()
  const from = performance.now()
  await delay(run.measureMs)
  isMeasuring = false
  const seconds = (performance.now() - from) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  isRunning = false
  const rss = process.memoryUsage.rss()
  await ledger.stop()
  return {
    seconds,
    fulfilled: done,
    failed: {},
    sent: done,
    fulfilledByPayer: [done],
    sentByPayer: [done],
    everFulfilledByPayer: [done],
    latencyMs: {
      p50: latencies.quantileMs(0.5),
      p99: latencies.quantileMs(0.99),
      p999: latencies.quantileMs(0.999),
      max: latencies.maxMs,
    },
    connectorCpuUs: user + system,
    loadCpuUs: Number.NaN,
    connectorRssBytes: rss,
  }
}
