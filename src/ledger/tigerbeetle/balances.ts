import type { Account } from 'tigerbeetle-node'
import { lineAccountName } from '../chart-of-accounts.ts'
import type { AccountBalance, SelfCheck } from '../ledger.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import { type BookAccount, postedBalance } from './account-book.ts'
import type { AccountDirectory, NamedAccount } from './account-directory.ts'
import type { AssetBook } from './asset-book.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'

/** Pages of a self-check that do not belong to one moment differ by what was booked between; then it is repeated. */
const SELF_CHECK_ATTEMPTS_MAX = 5
/** Bound of accounts per asset, far above what a node can open. */
const SELF_CHECK_PAGES_MAX = 10_000

/** Balances of all accounts of the namespace. Exact to one moment while they fit in one request. */
export async function readBalances(
  connection: TigerBeetleConnection,
  directory: AccountDirectory,
): Promise<AccountBalance[]> {
  await directory.refresh()
  const named = [...directory.accounts]
  const found = await connection.lookupAccounts(named.map(([id]) => id))
  const byId = new Map(found.map((account) => [account.id, account]))
  return named.map(([id, account]) => toBalance(account, id, byId))
}

/** The balance of one clearing account. */
export async function readBalance(
  connection: TigerBeetleConnection,
  { id, asset, clearing, line }: BookAccount,
): Promise<AccountBalance> {
  const found = await connection.lookupAccounts([clearing, line])
  const byId = new Map(found.map((account) => [account.id, account]))
  return toBalance({ name: id, kind: 'clearing', asset, line }, clearing, byId)
}

/** Sums all accounts of each asset, those of other processes too. */
export async function selfCheck(
  connection: TigerBeetleConnection,
  directory: AccountDirectory,
): Promise<SelfCheck> {
  await directory.refresh()
  const checks = await Promise.all(directory.assets().map((asset) => checkAsset(connection, asset)))
  return {
    balanced: checks.every(({ isBalanced }) => isBalanced),
    assets: checks.map(({ isBalanced: _, ...asset }) => asset),
  }
}

async function checkAsset(
  connection: TigerBeetleConnection,
  { assetCode, assetScale, ledger }: AssetBook,
): Promise<SelfCheck['assets'][number] & { isBalanced: boolean }> {
  for (let attempt = 1; ; attempt++) {
    const sums = await sumLedger(connection, ledger)
    const isBalanced = sums.debits === sums.credits && sums.debitsPending === sums.creditsPending
    if (!isBalanced && sums.pages > 1 && attempt < SELF_CHECK_ATTEMPTS_MAX) continue
    return { assetCode, assetScale, debits: sums.debits, credits: sums.credits, isBalanced }
  }
}

async function sumLedger(
  connection: TigerBeetleConnection,
  ledger: number,
): Promise<{
  debits: bigint
  credits: bigint
  debitsPending: bigint
  creditsPending: bigint
  pages: number
}> {
  const sums = { debits: 0n, credits: 0n, debitsPending: 0n, creditsPending: 0n, pages: 0 }
  const limit = connection.eventsMax
  for (let after = 0n; sums.pages < SELF_CHECK_PAGES_MAX; ) {
    const accounts = await connection.queryAccounts({ ledger, limit, timestamp_min: after + 1n })
    sums.pages++
    for (const account of accounts) {
      sums.debits += account.debits_posted
      sums.credits += account.credits_posted
      sums.debitsPending += account.debits_pending
      sums.creditsPending += account.credits_pending
    }
    const last = accounts.at(-1)
    if (last === undefined || accounts.length < limit) return sums
    after = last.timestamp
  }
  throw new LedgerFaultError(`ledger ${ledger} has more than ${SELF_CHECK_PAGES_MAX * limit} accounts`)
}

/** What of a clearing account's credits is credit line is no balance. */
function toBalance(
  { name, kind, asset, line }: NamedAccount,
  id: bigint,
  found: ReadonlyMap<bigint, Account>,
): AccountBalance {
  const account = mustHave(found, id, name)
  const extended = line === undefined ? 0n : -postedBalance(mustHave(found, line, lineAccountName(name)))
  return {
    id: name,
    kind,
    assetCode: asset.assetCode,
    assetScale: asset.assetScale,
    debitsPosted: account.debits_posted,
    creditsPosted: account.credits_posted,
    debitsPending: account.debits_pending,
    creditsPending: account.credits_pending,
    balance: postedBalance(account) - extended,
  }
}

function mustHave(found: ReadonlyMap<bigint, Account>, id: bigint, name: string): Account {
  const account = found.get(id)
  if (account !== undefined) return account
  throw new LedgerFaultError(`account ${name} is missing in the cluster: was its data file replaced?`)
}
