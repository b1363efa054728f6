import type { Account } from 'tigerbeetle-node'
import { assetAccountName, lineAccountName, settlementAccountName } from '../chart-of-accounts.ts'
import type { AccountKind } from '../ledger.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import { type AssetBook, assetBook, OWN_KINDS, readLedgers } from './asset-book.ts'
import { AccountCode } from './codes.ts'
import { readName } from './named-accounts.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { deriveId } from './transfer-ids.ts'

/** Far above what a node can open, at 253 accounts a page. */
const PAGES_MAX = 10_000

export interface NamedAccount {
  /** As in `AccountBalance.id`. */
  name: string
  kind: AccountKind
  asset: AssetBook
  /** The credit line of a clearing account. */
  line?: bigint
}

/** Every account of the namespace by id and by name: those we opened, and those that others or earlier runs did. */
export class AccountDirectory {
  readonly #connection: TigerBeetleConnection
  readonly #namespace: string
  readonly #accounts = new Map<bigint, NamedAccount>()
  readonly #ids = new Map<string, bigint>()
  /** By ledger number. */
  readonly #assets = new Map<number, AssetBook>()
  /** Timestamp up to which a ledger's accounts are known. */
  readonly #readUpTo = new Map<number, bigint>()

  constructor(connection: TigerBeetleConnection, namespace: string) {
    this.#connection = connection
    this.#namespace = namespace
  }

  get accounts(): ReadonlyMap<bigint, NamedAccount> {
    return this.#accounts
  }

  assets(): AssetBook[] {
    return [...this.#assets.values()]
  }

  /** Name for history: lines as `line:<account>`. */
  nameOf(id: bigint): string {
    const known = this.#accounts.get(id)
    if (known === undefined) return `unknown:${id.toString(16)}`
    return known.kind === 'line' ? lineAccountName(known.name) : known.name
  }

  idOf(name: string): bigint | undefined {
    return this.#ids.get(name)
  }

  addAsset(asset: AssetBook): void {
    this.#assets.set(asset.ledger, asset)
    const { assetCode, assetScale } = asset
    for (const kind of OWN_KINDS) {
      this.#add(asset[kind], { name: assetAccountName(kind, assetCode, assetScale), kind, asset })
    }
  }

  addPeer(accountId: string, clearing: bigint, asset: AssetBook): bigint {
    const line = deriveId(this.#namespace, 'line', accountId).id
    this.#add(clearing, { name: accountId, kind: 'clearing', asset, line })
    this.#add(line, { name: accountId, kind: 'line', asset })
    return line
  }

  addSettlement(engine: string, id: bigint, asset: AssetBook): void {
    const name = settlementAccountName(asset.assetCode, asset.assetScale, engine)
    this.#add(id, { name, kind: 'settlement', asset })
  }

  /** Reads what is new since the last time. */
  async refresh(): Promise<void> {
    for (const ledger of await readLedgers(this.#connection, this.#namespace)) await this.#readLedger(ledger)
  }

  async #readLedger(ledger: number): Promise<void> {
    const accounts = await this.#readNew(ledger)
    const continuations = new Map(
      accounts
        .filter(({ code }) => code === AccountCode.nameContinuation)
        .map((account) => [account.id, account]),
    )
    const named = (code: number): [bigint, string][] =>
      accounts
        .filter((account) => account.code === code)
        .map((head) => [head.id, readName(head, continuations)])
    for (const [, name] of named(AccountCode.fx)) {
      const [assetCode = '', scale] = name.split(':')
      this.addAsset(assetBook(this.#namespace, { assetCode, assetScale: Number(scale) }, ledger))
    }
    const asset = this.#assets.get(ledger)
    if (asset === undefined) return
    for (const [id, name] of named(AccountCode.clearing)) this.addPeer(name, id, asset)
    for (const [id, name] of named(AccountCode.settlement)) this.addSettlement(name, id, asset)
    const last = accounts.at(-1)
    if (last !== undefined) this.#readUpTo.set(ledger, last.timestamp)
  }

  async #readNew(ledger: number): Promise<Account[]> {
    const limit = this.#connection.eventsMax
    const found: Account[] = []
    let after = this.#readUpTo.get(ledger) ?? 0n
    for (let page = 0; page < PAGES_MAX; page++) {
      const accounts = await this.#connection.queryAccounts({ ledger, limit, timestamp_min: after + 1n })
      found.push(...accounts)
      const last = accounts.at(-1)
      if (last === undefined || accounts.length < limit) return found
      after = last.timestamp
    }
    throw new LedgerFaultError(`ledger ${ledger} has more than ${PAGES_MAX * limit} accounts`)
  }

  #add(id: bigint, account: NamedAccount): void {
    this.#accounts.set(id, account)
    this.#ids.set(account.kind === 'line' ? lineAccountName(account.name) : account.name, id)
  }
}
