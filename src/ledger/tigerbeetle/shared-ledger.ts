import assert from 'node:assert'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type Amount, add, subtract, toAmount } from '../../ilp/amount.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import { checkAccountSpec, checkHistoryQuery, checkLimit } from '../check-ledger-input.ts'
import { checkSettlement, checkSettlementId } from '../check-ledger-input.ts'
import type { AccountBalance, HistoryEntry, HistoryQuery, Ledger, LedgerAccount } from '../ledger.ts'
import { type LedgerAccountSpec, type PacketListener, ReserveOutcome } from '../ledger.ts'
import type { SelfCheck, SettlementEntry } from '../ledger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { within } from '../within.ts'
import { readBalance, readBalances, selfCheck } from './balances.ts'
import { claimEpoch, epochScope, lastEpoch } from './epoch.ts'
import { readHistory } from './history.ts'
import { SharedAccount } from './shared-account.ts'
import { SharedAccounts } from './shared-accounts.ts'
import { SharedPacketFlow } from './shared-packet-flow.ts'
import { DETACHED, SharedPackets, SharedState } from './shared-packets.ts'
import { SharedWriter } from './shared-writer.ts'
import { SettlementBook } from './settlement-book.ts'
import { TigerBeetleConnection, type TigerBeetleConnectionOptions } from './tigerbeetle-connection.ts'

/** The longest hold that the configuration allows is 300 s; the rest is for clocks and queues. */
const PENDING_TIMEOUT_SECONDS = 360
const SLOTS_MAX = 65_536
/** Packets that are being voided or booked after their slot was freed, for each slot. */
const PACKETS_PER_SLOT = 2
const STOP_DEADLINE_MS = 10_000
const STOP_LOOK_MS = 5

export interface SharedLedgerOptions extends TigerBeetleConnectionOptions {
  /** Packets in flight: slots run from 0 to `slots - 1`. At most 65,536. */
  slots: number
  /** Name of this process, for logs. */
  nodeId: string
  /** Lifetime of a pending transfer, seconds; must outlive every packet. Default 360. */
  pendingTimeoutSeconds?: number
  /** Keeps the books of several nodes apart in one cluster; equal for the processes that share them. Default ''. */
  namespace?: string
}

export interface SharedLedgerDeps {
  clock: Clock
  logger: Logger
  /** The cluster contradicts what we know: stop taking value, raise the alarm. */
  onFault?: (error: Error) => void
}

const NOBODY: PacketListener = { reserved: () => undefined, committed: () => undefined }
