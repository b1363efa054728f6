import assert from 'node:assert'
import { CreateAccountStatus } from 'tigerbeetle-node'
import { assetName } from '../chart-of-accounts.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import { AccountCode, META_LEDGER } from './codes.ts'
import { namedAccounts } from './named-accounts.ts'
import { newAccount } from './new-account.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { deriveId } from './transfer-ids.ts'

/** Assets that share the same hash of 32 bits; more than a few is no accident. */
const COLLISIONS_MAX = 16
/** Assets of one node that are found again. */
const ASSETS_MAX = 253

/** Kinds of accounts that exist once per asset. */
export const OWN_KINDS = ['fx', 'revenue', 'suspense', 'capital', 'loss'] as const

/** An asset (code and scale): one ledger of the cluster, with the accounts that exist once in it. */
export interface AssetBook {
  readonly assetCode: string
  readonly assetScale: number
  readonly ledger: number
  readonly fx: bigint
  readonly revenue: bigint
  readonly suspense: bigint
  readonly capital: bigint
  readonly loss: bigint
}

type Asset = Pick<AssetBook, 'assetCode' | 'assetScale'>

/** The asset's accounts, whose ids follow from its name. */
export function assetBook(namespace: string, asset: Asset, ledger: number): AssetBook {
  const name = assetName(asset.assetCode, asset.assetScale)
  const idOf = (kind: (typeof OWN_KINDS)[number]): bigint => deriveId(namespace, kind, name).id
  return {
    ...asset,
    ledger,
    fx: idOf('fx'),
    revenue: idOf('revenue'),
    suspense: idOf('suspense'),
    capital: idOf('capital'),
    loss: idOf('loss'),
  }
}

/** Finds the asset's ledger, or claims one, and creates its accounts where they are missing. */
export async function openAssetBook(
  connection: TigerBeetleConnection,
  namespace: string,
  asset: Asset,
): Promise<AssetBook> {
  const name = assetName(asset.assetCode, asset.assetScale)
  const ledger = await claimLedger(connection, namespace, name)
  const book = assetBook(namespace, asset, ledger)
  const accounts = OWN_KINDS.flatMap((kind) =>
    namedAccounts(book[kind], name, { ledger, code: AccountCode[kind] }),
  )
  for (const { status } of await connection.createAccounts(accounts)) {
    if (status === CreateAccountStatus.created || status === CreateAccountStatus.exists) continue
    throw new LedgerFaultError(
      `the accounts of asset ${name} cannot be opened: ${CreateAccountStatus[status]}`,
    )
  }
  return book
}

/** Numbers of the ledgers that are claimed in the namespace. */
export async function readLedgers(connection: TigerBeetleConnection, namespace: string): Promise<number[]> {
  const filter = { ledger: 0, code: AccountCode.assetMarker, user_data_64: scopeOf(namespace) }
  const markers = await connection.queryAccounts({ ...filter, limit: ASSETS_MAX })
  return markers.map(({ ledger }) => ledger)
}

/**
 * The number of an asset's ledger: a hash of its name. A marker account, whose id follows from the number and which
 * carries a hash of the name, keeps two assets from sharing one: the second takes the next number.
 */
async function claimLedger(
  connection: TigerBeetleConnection,
  namespace: string,
  name: string,
): Promise<number> {
  const { check } = deriveId(namespace, 'asset', name)
  const first = Number(check & 0xffff_ffffn)
  for (let step = 0; step < COLLISIONS_MAX; step++) {
    const ledger = (first + step) % META_LEDGER || 1
    const { id } = deriveId('', 'asset-marker', String(ledger))
    const marker = {
      ...newAccount({ id, check }, ledger, AccountCode.assetMarker),
      user_data_64: scopeOf(namespace),
    }
    const [result] = await connection.createAccounts([marker])
    assert(result !== undefined, 'one answer per account')
    if (result.status === CreateAccountStatus.created || result.status === CreateAccountStatus.exists)
      return ledger
    if (result.status !== CreateAccountStatus.exists_with_different_user_data_128) {
      throw new LedgerFaultError(`no ledger for asset ${name}: ${CreateAccountStatus[result.status]}`)
    }
  }
  throw new LedgerFaultError(
    `no ledger for asset ${name}: ${COLLISIONS_MAX} numbers are taken by other assets`,
  )
}

function scopeOf(namespace: string): bigint {
  return deriveId(namespace, 'assets').check & (2n ** 64n - 1n)
}
