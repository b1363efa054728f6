import type { Account } from 'tigerbeetle-node'
import { CreateAccountStatus } from 'tigerbeetle-node'
import { assetName, settlementAccountName } from '../chart-of-accounts.ts'
import type { LedgerAccountSpec } from '../ledger.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import { AccountDirectory } from './account-directory.ts'
import { type AssetBook, openAssetBook } from './asset-book.ts'
import { AccountCode, CREDITS_MUST_NOT_EXCEED_DEBITS, DEBITS_MUST_NOT_EXCEED_CREDITS } from './codes.ts'
import { namedAccounts } from './named-accounts.ts'
import { newAccount } from './new-account.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { deriveId } from './transfer-ids.ts'

/** An open peer account and where it stands in the cluster. */
export interface BookAccount {
  readonly id: string
  readonly index: number
  readonly asset: AssetBook
  readonly clearing: bigint
  readonly line: bigint
}

/** The accounts this process has opened. */
export class AccountBook {
  readonly directory: AccountDirectory
  readonly #connection: TigerBeetleConnection
  readonly #namespace: string
  readonly #byIndex: (BookAccount | undefined)[] = []
  readonly #byClearing = new Map<bigint, BookAccount>()
  readonly #assets = new Map<string, Promise<AssetBook>>()

  constructor(connection: TigerBeetleConnection, namespace: string) {
    this.#connection = connection
    this.#namespace = namespace
    this.directory = new AccountDirectory(connection, namespace)
  }

  at(index: number): BookAccount {
    const account = this.#byIndex[index]
    if (account === undefined) throw new LedgerFaultError(`ledger account ${index} is not open`)
    return account
  }

  /** The open account with that clearing account. */
  byClearing(id: bigint): BookAccount | undefined {
    return this.#byClearing.get(id)
  }

  /** @throws LedgerFaultError when the account holds another asset, or an id collides */
  async open(spec: LedgerAccountSpec, index: number): Promise<BookAccount> {
    const asset = await this.#asset(spec)
    const { ledger } = asset
    const clearing = deriveId(this.#namespace, 'clearing', spec.id).id
    const line = deriveId(this.#namespace, 'line', spec.id)
    const flags = DEBITS_MUST_NOT_EXCEED_CREDITS
    const accounts = [
      ...namedAccounts(clearing, spec.id, { ledger, code: AccountCode.clearing, flags }),
      newAccount(line, ledger, AccountCode.line, CREDITS_MUST_NOT_EXCEED_DEBITS),
    ]
    for (const { status } of await this.#connection.createAccounts(accounts)) {
      if (status === CreateAccountStatus.created || status === CreateAccountStatus.exists) continue
      const name = assetName(spec.assetCode, spec.assetScale)
      throw status === CreateAccountStatus.exists_with_different_ledger
        ? new LedgerFaultError(
            `account ${spec.id} holds another asset than ${name}: open a new account for it`,
          )
        : new LedgerFaultError(`account ${spec.id} cannot be opened: ${CreateAccountStatus[status]}`)
    }
    const account = { id: spec.id, index, asset, clearing, line: line.id }
    this.#byIndex[index] = account
    this.#byClearing.set(clearing, account)
    this.directory.addPeer(spec.id, clearing, asset)
    return account
  }

  /** The SETTLEMENT account of the engine, created when it is not there. */
  async settlementAccount(asset: AssetBook, engine: string): Promise<bigint> {
    const { ledger } = asset
    const name = settlementAccountName(asset.assetCode, asset.assetScale, engine)
    const known = this.directory.idOf(name)
    if (known !== undefined) return known
    const { id } = deriveId(this.#namespace, 'settlement', name)
    const accounts = namedAccounts(id, engine, { ledger, code: AccountCode.settlement })
    for (const { status } of await this.#connection.createAccounts(accounts)) {
      if (status === CreateAccountStatus.created || status === CreateAccountStatus.exists) continue
      throw new LedgerFaultError(`account ${name} cannot be opened: ${CreateAccountStatus[status]}`)
    }
    this.directory.addSettlement(engine, id, asset)
    return id
  }

  #asset({ assetCode, assetScale }: LedgerAccountSpec): Promise<AssetBook> {
    const name = assetName(assetCode, assetScale)
    const known = this.#assets.get(name)
    if (known !== undefined) return known
    const opening = openAssetBook(this.#connection, this.#namespace, { assetCode, assetScale }).then(
      (asset) => {
        this.directory.addAsset(asset)
        return asset
      },
    )
    this.#assets.set(name, opening)
    opening.catch(() => this.#assets.delete(name))
    return opening
  }
}

/** Credits minus debits, booked. */
export function postedBalance(account: Account): bigint {
  return account.credits_posted - account.debits_posted
}
