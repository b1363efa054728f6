import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import { ExclusiveLedger } from './exclusive-ledger.ts'
import type { Ledger } from './ledger.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

export interface LedgerChoice {
  backend: 'sqlite' | 'tigerbeetle'
  mode: 'exclusive' | 'shared'
  packetDetailDays: number
  tigerbeetle?:
    | { clusterId: string; addresses: string[]; timeoutMs: number; namespace?: string | undefined }
    | undefined
  /** Where the embedded ledger lives. */
  dataDirectory: string
  nodeId: string
  /** Packets in flight at most. */
  slots: number
}

export interface LedgerChoiceDeps {
  clock: Clock
  logger: Logger
  /** Nothing more will be booked. */
  onFault(error: Error): void
}

/**
 * The ledger that the configuration names.
 * @throws Error when the combination cannot work
 */
export async function createLedger(choice: LedgerChoice, deps: LedgerChoiceDeps): Promise<Ledger> {
  const { slots } = choice
  if (choice.backend === 'sqlite') {
    if (choice.mode === 'shared') throw new Error('ledger.mode "shared" needs the backend "tigerbeetle"')
    const path = join(choice.dataDirectory, 'ledger.sqlite')
    const store = new SqliteStore({ path, packetDetailDays: choice.packetDetailDays }, deps)
    return new ExclusiveLedger({ slots }, { ...deps, store })
  }
  if (choice.tigerbeetle === undefined) throw new Error('ledger.tigerbeetle is missing: name the cluster')
  const { clusterId, addresses, timeoutMs, namespace = '' } = choice.tigerbeetle
  const cluster = { clusterId: BigInt(clusterId), addresses, timeoutMs, namespace }
  // Its native client is loaded by those who use it only.
  if (choice.mode === 'shared') {
    const { SharedLedger } = await import('./tigerbeetle/shared-ledger.ts')
    return new SharedLedger({ ...cluster, slots, nodeId: choice.nodeId }, deps)
  }
  const { TigerBeetleStore } = await import('./tigerbeetle/tigerbeetle-store.ts')
  return new ExclusiveLedger({ slots }, { ...deps, store: new TigerBeetleStore(cluster, deps) })
}
