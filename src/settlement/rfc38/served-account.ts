import { type EngineAccount, EngineConfigError } from '../engine.ts'

/** What is written of one account, or of all of them. */
interface AccountSettings {
  readonly asset?: { readonly code: string; readonly scale: number } | undefined
  readonly ownAddress?: string | undefined
  readonly peerAddress?: string | undefined
  readonly options: Record<string, unknown>
}

export interface ServedAccounts {
  /** Undefined: only those of `accounts` are served. */
  readonly accountDefaults?: AccountSettings | undefined
  readonly accounts: Readonly<Record<string, AccountSettings>>
}

/**
 * What is known of an account that a connector sets up: its own settings over those of all accounts.
 * @throws EngineConfigError for one that is not to be served
 */
export function servedAccount(
  { accountDefaults, accounts }: ServedAccounts,
  id: string,
): Omit<EngineAccount, 'id'> {
  const own = Object.hasOwn(accounts, id) ? accounts[id] : undefined
  const asset = own?.asset ?? accountDefaults?.asset
  if ((own === undefined && accountDefaults === undefined) || asset === undefined) {
    throw new EngineConfigError(
      '',
      `account ${id} is not known here: add it to engine.accounts, or set engine.accountDefaults`,
    )
  }
  return {
    assetCode: asset.code,
    assetScale: asset.scale,
    ownAddress: own?.ownAddress ?? accountDefaults?.ownAddress,
    peerAddress: own?.peerAddress ?? accountDefaults?.peerAddress,
    options: { ...accountDefaults?.options, ...own?.options },
  }
}
