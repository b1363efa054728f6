import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SettlementLedger } from '../../../src/settlement/settlement-ledger.ts'

/** The process is dead: nothing reaches anything any more. */
export class DeadError extends Error {
  override readonly name = 'DeadError'
}

/** Kills a simulated process at the n-th place where it meets its store, its ledger or its engine. */
export class CrashSwitch {
  readonly trace: string[] = []
  readonly #at: number | undefined
  #dead = false

  /** @param at which place, from 1; undefined: never */
  constructor(at?: number) {
    this.#at = at
  }

  get dead(): boolean {
    return this.#dead
  }

  readonly point = (name: string): void => {
    if (this.#dead) throw new DeadError('dead')
    this.trace.push(name)
    if (this.trace.length !== this.#at) return
    this.#dead = true
    throw new DeadError(`died at ${name}`)
  }
}

/** A database whose transactions may never be committed, or be committed unheard. */
class MortalDatabase implements Pick<DatabaseSync, 'exec' | 'prepare' | 'isTransaction'> {
  readonly #database: DatabaseSync
  readonly #crash: CrashSwitch

  constructor(database: DatabaseSync, crash: CrashSwitch) {
    this.#database = database
    this.#crash = crash
  }

  get isTransaction(): boolean {
    return this.#database.isTransaction
  }

  exec(sql: string): void {
    if (sql === 'BEGIN IMMEDIATE') this.#crash.point('store.begin')
    if (sql === 'COMMIT') this.#crash.point('store.commit')
    this.#database.exec(sql)
    if (sql === 'COMMIT') this.#crash.point('store.committed')
  }

  prepare(sql: string): StatementSync {
    return this.#database.prepare(sql)
  }
}

export function mortalStore(
  store: { database: DatabaseSync },
  crash: CrashSwitch,
): { database: DatabaseSync } {
  return { database: new MortalDatabase(store.database, crash) as unknown as DatabaseSync }
}

/** A ledger whose calls may never be made, or be made unheard. */
export function mortalLedger(ledger: SettlementLedger, crash: CrashSwitch): SettlementLedger {
  async function around<T>(name: string, call: () => Promise<T>): Promise<T> {
    crash.point(`ledger.${name}`)
    const result = await call()
    crash.point(`ledger.${name}.done`)
    return result
  }
  return {
    get available() {
      return ledger.available
    },
    probe: () => ledger.probe(),
    openAccount: (spec) => ledger.openAccount(spec),
    settleIn: (entry) => around('settleIn', () => ledger.settleIn(entry)),
    holdSettlement: (entry) => around('hold', () => ledger.holdSettlement(entry)),
    postSettlement: (id) => around('post', () => ledger.postSettlement(id)),
    voidSettlement: (id) => around('void', () => ledger.voidSettlement(id)),
    balance: (account) => ledger.balance(account),
    balances: () => ledger.balances(),
    history: (query) => ledger.history(query),
  }
}
