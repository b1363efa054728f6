import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { AccountBalance, AccountKind } from '../ledger.ts'

/** What never changes about an account. */
export interface AccountRow {
  /** Row ids of our own accounts of the same asset, as far as they were asked for. */
  assetAccounts: Partial<Record<AccountKind, number>>
  id: number
  kind: AccountKind
  name: string
  assetCode: string
  assetScale: number
}

export interface AccountSums {
  debitsPosted: bigint
  creditsPosted: bigint
  debitsPending: bigint
  creditsPending: bigint
  creditLimit: bigint
  /** The account's newest transfer; 0: none. */
  lastTransfer: number
}

const COLUMNS = `id, kind, name, asset_code, asset_scale, debits_posted, credits_posted, debits_pending,
  credits_pending, credit_limit, last_transfer`

/** The `accounts` table. Sums are always read from the rows: only identities are remembered. */
export class AccountTable {
  readonly #byName = new Map<string, AccountRow>()
  readonly #byId = new Map<number, AccountRow>()
  readonly #selectByName: StatementSync
  readonly #selectById: StatementSync
  readonly #selectAll: StatementSync
  readonly #insert: StatementSync
  readonly #update: StatementSync

  constructor(db: DatabaseSync) {
    this.#selectByName = db.prepare(`SELECT ${COLUMNS} FROM accounts WHERE kind = ? AND name = ?`)
    this.#selectById = db.prepare(`SELECT ${COLUMNS} FROM accounts WHERE id = ?`)
    this.#selectAll = db.prepare(`SELECT ${COLUMNS} FROM accounts ORDER BY id`)
    this.#insert = db.prepare(
      'INSERT INTO accounts (kind, name, asset_code, asset_scale) VALUES (?, ?, ?, ?) RETURNING id',
    )
    this.#update = db.prepare(
      `UPDATE accounts SET debits_posted = ?, credits_posted = ?, debits_pending = ?, credits_pending = ?,
       credit_limit = ?, last_transfer = ? WHERE id = ?`,
    )
  }

  /** To be called after a rollback: rows made in it are gone. */
  forget(): void {
    this.#byName.clear()
    this.#byId.clear()
  }

  find(kind: AccountKind, name: string): AccountRow | undefined {
    const known = this.#byName.get(`${kind} ${name}`)
    if (known !== undefined) return known
    const row = this.#selectByName.get(kind, name)
    return row && this.#remember(toRow(row))
  }

  /** Finds the account or makes it. */
  ensure(kind: AccountKind, name: string, assetCode: string, assetScale: number): AccountRow {
    const known = this.find(kind, name)
    if (known !== undefined) return known
    const made = this.#insert.get(kind, name, assetCode, assetScale)!
    return this.#remember({ id: Number(made.id), kind, name, assetCode, assetScale, assetAccounts: {} })
  }

  at(id: number): AccountRow {
    return this.#byId.get(id) ?? this.#remember(toRow(this.#selectById.get(id)!))
  }

  sums(id: number): AccountSums {
    return toSums(this.#selectById.get(id)!)
  }

  update(id: number, sums: AccountSums): void {
    const { debitsPosted, creditsPosted, debitsPending, creditsPending, creditLimit, lastTransfer } = sums
    this.#update.run(
      debitsPosted.toString(),
      creditsPosted.toString(),
      debitsPending.toString(),
      creditsPending.toString(),
      creditLimit.toString(),
      lastTransfer,
      id,
    )
  }

  all(): { row: AccountRow; sums: AccountSums }[] {
    return this.#selectAll.all().map((row) => ({ row: toRow(row), sums: toSums(row) }))
  }

  /** Every account as the contract shows it. */
  balances(): AccountBalance[] {
    const all = this.all()
    const lines = new Map<string, bigint>()
    for (const { row, sums } of all) {
      if (row.kind === 'line') lines.set(row.name, sums.debitsPosted - sums.creditsPosted)
    }
    return all.map(({ row, sums }) =>
      toBalance(row, sums, row.kind === 'clearing' ? (lines.get(row.name) ?? 0n) : 0n),
    )
  }

  /** The same of one clearing account. */
  balance(row: AccountRow): AccountBalance {
    const line = this.find('line', row.name)
    const extended = line === undefined ? undefined : this.sums(line.id)
    const credit = extended === undefined ? 0n : extended.debitsPosted - extended.creditsPosted
    return toBalance(row, this.sums(row.id), credit)
  }

  #remember(row: AccountRow): AccountRow {
    this.#byName.set(`${row.kind} ${row.name}`, row)
    this.#byId.set(row.id, row)
    return row
  }
}

/** @param line what of the credits is credit line */
function toBalance(
  { assetCode, assetScale, kind, name }: AccountRow,
  sums: AccountSums,
  line: bigint,
): AccountBalance {
  const { creditLimit: _, lastTransfer: __, ...posted } = sums
  return {
    id: name,
    kind,
    assetCode,
    assetScale,
    ...posted,
    balance: sums.creditsPosted - sums.debitsPosted - line,
  }
}

function toRow(row: Record<string, unknown>): AccountRow {
  return {
    id: Number(row.id),
    kind: String(row.kind) as AccountKind,
    name: String(row.name),
    assetCode: String(row.asset_code),
    assetScale: Number(row.asset_scale),
    assetAccounts: {},
  }
}

function toSums(row: Record<string, unknown>): AccountSums {
  return {
    debitsPosted: BigInt(String(row.debits_posted)),
    creditsPosted: BigInt(String(row.credits_posted)),
    debitsPending: BigInt(String(row.debits_pending)),
    creditsPending: BigInt(String(row.credits_pending)),
    creditLimit: BigInt(String(row.credit_limit)),
    lastTransfer: Number(row.last_transfer),
  }
}
