import type {
  AccountBalance,
  HistoryEntry,
  HistoryQuery,
  LedgerAccountSpec,
  SelfCheck,
} from '../../src/ledger/ledger.ts'
import type { SettlementOutcome, StoredAccount } from '../../src/ledger/ledger-store.ts'
import { type LedgerStore, LedgerUnavailableError, type PacketBatch } from '../../src/ledger/ledger-store.ts'
import type { BackendFaults } from './ledger-harness.ts'

/** A store between the ledger and a real one, which can be made to hang, to fail and to lose answers. */
export class FaultyLedgerStore implements LedgerStore, BackendFaults {
  readonly #store: LedgerStore
  readonly #deadlineMs: number
  #mode: 'well' | 'hang' | 'unreachable' | 'lose-answers' = 'well'
  #resume: (() => void)[] = []

  /** @param deadlineMs deadline of a call that hangs, as a real store has one */
  constructor(store: LedgerStore, deadlineMs: number) {
    this.#store = store
    this.#deadlineMs = deadlineMs
  }

  hang = async (): Promise<void> => {
    this.#mode = 'hang'
  }

  unreachable = async (): Promise<void> => {
    this.#mode = 'unreachable'
  }

  loseAnswers = async (): Promise<void> => {
    this.#mode = 'lose-answers'
  }

  heal = async (): Promise<void> => {
    this.#mode = 'well'
    for (const resume of this.#resume.splice(0)) resume()
  }

  get epoch(): number {
    return this.#store.epoch
  }

  start(): Promise<void> {
    return this.#store.start()
  }

  stop(): Promise<void> {
    return this.#store.stop()
  }

  probe(): Promise<void> {
    return this.#through(() => this.#store.probe())
  }

  openAccount(spec: LedgerAccountSpec, index: number): Promise<StoredAccount> {
    return this.#through(() => this.#store.openAccount(spec, index))
  }

  setCreditLimit(index: number, limit: bigint): Promise<void> {
    return this.#through(() => this.#store.setCreditLimit(index, limit))
  }

  post(batch: PacketBatch): Promise<void> {
    return this.#through(() => this.#store.post(batch))
  }

  settleIn(id: string, index: number, engine: string, amount: bigint): Promise<boolean> {
    return this.#through(() => this.#store.settleIn(id, index, engine, amount))
  }

  holdSettlement(...entry: Parameters<LedgerStore['holdSettlement']>): Promise<void> {
    return this.#through(() => this.#store.holdSettlement(...entry))
  }

  postSettlement(id: string): Promise<SettlementOutcome> {
    return this.#through(() => this.#store.postSettlement(id))
  }

  voidSettlement(id: string): Promise<SettlementOutcome> {
    return this.#through(() => this.#store.voidSettlement(id))
  }

  balances(): Promise<AccountBalance[]> {
    return this.#store.balances()
  }

  balance(index: number): Promise<AccountBalance> {
    return this.#store.balance(index)
  }

  history(query: HistoryQuery): Promise<HistoryEntry[]> {
    return this.#store.history(query)
  }

  selfCheck(): Promise<SelfCheck> {
    return this.#store.selfCheck()
  }

  async #through<T>(call: () => Promise<T>): Promise<T> {
    if (this.#mode === 'unreachable') throw new LedgerUnavailableError('the test cut the connection')
    if (this.#mode === 'hang') await this.#untilHealed()
    const answer = await call()
    if (this.#mode === 'lose-answers') throw new LedgerUnavailableError('the test lost the answer')
    return answer
  }

  /** As a call whose answer comes after its deadline: it fails, and takes no effect when healed too late. */
  #untilHealed(): Promise<void> {
    return new Promise((resolve, reject) => {
      const tooLate = setTimeout(() => reject(new LedgerUnavailableError('no answer')), this.#deadlineMs)
      this.#resume.push(() => {
        clearTimeout(tooLate)
        resolve()
      })
    })
  }
}
