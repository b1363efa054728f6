import type { AccountBalance, HistoryEntry, LedgerAccountSpec, SelfCheck } from '../../src/ledger/ledger.ts'
import {
  type LedgerStore,
  LedgerUnavailableError,
  type PacketBatch,
  RecordKind,
  type SettlementOutcome,
  type StoredAccount,
} from '../../src/ledger/ledger-store.ts'

/**
 * Books that live in memory and fail on demand: for faults of a store that the real ones cannot be made to show at
 * the right moment.
 */
export class MemoryLedgerStore implements LedgerStore {
  readonly epoch = 1
  readonly balancesByIndex: bigint[] = []
  /** While set, `post` waits for it; it may reject. */
  gate: Promise<void> | undefined
  failing = false
  batches = 0

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async probe(): Promise<void> {
    if (this.failing) throw new LedgerUnavailableError('told to fail')
  }

  async openAccount(spec: LedgerAccountSpec, index: number): Promise<StoredAccount> {
    this.balancesByIndex[index] = 0n
    return { balance: 0n, held: 0n, creditLimit: spec.creditLimit }
  }
  async setCreditLimit(): Promise<void> {}

  async post(batch: PacketBatch): Promise<void> {
    await this.gate
    if (this.failing) throw new LedgerUnavailableError('told to fail')
    this.batches++
    for (let record = 0; record < batch.count; record++) {
      const payer = batch.payer[record]!
      if (batch.kind[record] === RecordKind.compensation) {
        this.balancesByIndex[payer]! += batch.inAmount[record]!
        continue
      }
      this.balancesByIndex[payer]! -= batch.inAmount[record]!
      this.balancesByIndex[batch.payee[record]!]! += batch.outAmount[record]!
    }
  }

  async settleIn(): Promise<boolean> {
    return true
  }
  async holdSettlement(): Promise<void> {}
  async postSettlement(): Promise<SettlementOutcome> {
    return { index: 0, amount: 0n, changed: false }
  }
  async voidSettlement(): Promise<SettlementOutcome> {
    return { index: 0, amount: 0n, changed: false }
  }
  async balances(): Promise<AccountBalance[]> {
    return []
  }
  async balance(): Promise<AccountBalance> {
    throw new LedgerUnavailableError('not kept')
  }
  async history(): Promise<HistoryEntry[]> {
    return []
  }
  async selfCheck(): Promise<SelfCheck> {
    return { balanced: true, assets: [] }
  }
}
