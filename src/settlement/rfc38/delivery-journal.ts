import type { DatabaseSync } from 'node:sqlite'
import type { Quantity } from '../engine.ts'
import { DeliveryTable } from './delivery-table.ts'
import { openJournal } from './open-journal.ts'

type Row = Record<string, unknown>

export interface DeliveryJournalSpec {
  /** File, made when it is missing. */
  readonly path: string
  readonly migrations: readonly string[]
  /** Which rows of its three tables are still to be delivered; SQL conditions, fixed text. */
  readonly pending: { readonly orders: string; readonly credits: string; readonly accounts: string }
}

/** A file of orders, credits and accounts, some of which are to be delivered. Every change is durable on return. */
export class DeliveryJournal {
  readonly #spec: DeliveryJournalSpec
  #database: DatabaseSync | undefined
  #tables: Record<'orders' | 'credits' | 'accounts', DeliveryTable> | undefined

  constructor(spec: DeliveryJournalSpec) {
    this.#spec = spec
  }

  /** @throws Error when the file cannot be opened or another process holds it */
  start(): void {
    const { path, migrations, pending } = this.#spec
    const database = openJournal(path, migrations)
    this.#database = database
    this.#tables = {
      orders: new DeliveryTable(database, 'orders', pending.orders),
      credits: new DeliveryTable(database, 'credits', pending.credits),
      accounts: new DeliveryTable(database, 'accounts', pending.accounts),
    }
  }

  stop(): void {
    this.#database?.close()
    this.#database = undefined
    this.#tables = undefined
  }

  get orderDeliveries(): DeliveryTable {
    return opened(this.#tables).orders
  }

  get creditDeliveries(): DeliveryTable {
    return opened(this.#tables).credits
  }

  get accountDeliveries(): DeliveryTable {
    return opened(this.#tables).accounts
  }

  protected get database(): DatabaseSync {
    return opened(this.#database)
  }

  /** How many rows were changed. */
  protected run(sql: string, ...values: (string | number | null)[]): number {
    return Number(this.database.prepare(sql).run(...values).changes)
  }

  protected get(sql: string, ...values: (string | number)[]): Row | undefined {
    return this.database.prepare(sql).get(...values)
  }
}

/** The quantity that two columns hold. */
export function quantityOf(amount: unknown, scale: unknown): Quantity {
  return { amount: BigInt(amount as string), scale: scale as number }
}

function opened<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the journal is not open')
  return part
}
