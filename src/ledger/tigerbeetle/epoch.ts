import assert from 'node:assert'
import { randomBytes } from 'node:crypto'
import { CreateAccountStatus } from 'tigerbeetle-node'
import type { Clock } from '../../lib/clock.ts'
import { LedgerFaultError } from '../ledger-store.ts'
import { AccountCode, META_LEDGER, NEWEST_FIRST } from './codes.ts'
import { newAccount } from './new-account.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { deriveId } from './transfer-ids.ts'

/** Processes that start in the same millisecond. */
const CLAIMS_MAX = 1_000

/** Who competes for epochs: `mode` and namespace. */
export function epochScope(mode: 'exclusive' | 'shared', namespace: string): bigint {
  return deriveId(namespace, 'epoch-scope', mode).check & (2n ** 64n - 1n)
}

/** The last epoch that was claimed in the scope; undefined when there is none. */
export async function lastEpoch(
  connection: TigerBeetleConnection,
  scope: bigint,
): Promise<number | undefined> {
  const filter = {
    ledger: META_LEDGER,
    code: AccountCode.epoch,
    user_data_64: scope,
    flags: NEWEST_FIRST,
    limit: 1,
  }
  const [last] = await connection.queryAccounts(filter)
  return last === undefined ? undefined : Number(last.user_data_128 >> 64n)
}

/**
 * Claims an epoch: milliseconds since 1970, later than the one before in the scope even when the clock went back,
 * and claimed by nobody else in the cluster, in any scope. One account per claim keeps it for good.
 */
export async function claimEpoch(
  connection: TigerBeetleConnection,
  scope: bigint,
  after: number | undefined,
  clock: Clock,
): Promise<number> {
  const nonce = randomBytes(8).readBigUInt64BE()
  let epoch = Math.max(clock.now(), (after ?? 0) + 1)
  for (let claim = 0; claim < CLAIMS_MAX; claim++, epoch++) {
    const { id } = deriveId('', 'epoch', String(epoch))
    const check = (BigInt(epoch) << 64n) | nonce
    const account = { ...newAccount({ id, check }, META_LEDGER, AccountCode.epoch), user_data_64: scope }
    const [result] = await connection.createAccounts([account])
    assert(result !== undefined, 'one answer per account')
    const { created, exists } = CreateAccountStatus
    if (result.status === created || result.status === exists) return epoch
  }
  throw new LedgerFaultError(`${CLAIMS_MAX} epochs from ${epoch - CLAIMS_MAX} on are taken: check the clock`)
}
