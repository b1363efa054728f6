import type {
  AccountBalance,
  HistoryEntry,
  LedgerAccountSpec,
  SelfCheck,
} from '../../../src/ledger/ledger.ts'
import {
  type LedgerStore,
  LedgerUnavailableError,
  type PacketBatch,
  type SettlementOutcome,
  type StoredAccount,
} from '../../../src/ledger/ledger-store.ts'

/** A batch as the store got it. */
export interface SeenBatch {
  epoch: number
  firstSequence: number
  count: number
  kinds: number[]
  payers: number[]
  inAmounts: bigint[]
  outAmounts: bigint[]
  resolve(): void
  reject(error: Error): void
}

/** A store whose batches the test answers by hand; everything else succeeds at once. */
export class ScriptedStore implements LedgerStore {
  readonly epoch = 7
  readonly batches: SeenBatch[] = []
  probeError: Error | undefined
  stopped = 0

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.stopped++
  }

  async probe(): Promise<void> {
    if (this.probeError !== undefined) throw this.probeError
  }

  async openAccount(spec: LedgerAccountSpec): Promise<StoredAccount> {
    return { balance: 0n, held: 0n, creditLimit: spec.creditLimit }
  }

  async setCreditLimit(): Promise<void> {}

  post(batch: PacketBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      const { epoch, firstSequence, count } = batch
      this.batches.push({
        epoch,
        firstSequence,
        count,
        kinds: [...batch.kind.subarray(0, count)],
        payers: [...batch.payer.subarray(0, count)],
        inAmounts: [...batch.inAmount.subarray(0, count)],
        outAmounts: [...batch.outAmount.subarray(0, count)],
        resolve,
        reject,
      })
    })
  }

  async settleIn(): Promise<boolean> {
    return true
  }

  async holdSettlement(): Promise<void> {}

  async postSettlement(): Promise<SettlementOutcome> {
    return { index: 0, amount: 1n, changed: true }
  }

  async voidSettlement(): Promise<SettlementOutcome> {
    return { index: 0, amount: 1n, changed: true }
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
