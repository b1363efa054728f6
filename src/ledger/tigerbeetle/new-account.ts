import type { Account } from 'tigerbeetle-node'
import type { DerivedId } from './transfer-ids.ts'

/** An account to be created; the second hash of its name goes with it, so that a collision of ids shows. */
export function newAccount({ id, check }: DerivedId, ledger: number, code: number, flags = 0): Account {
  return {
    id,
    debits_pending: 0n,
    debits_posted: 0n,
    credits_pending: 0n,
    credits_posted: 0n,
    user_data_128: check,
    user_data_64: 0n,
    user_data_32: 0,
    reserved: 0,
    ledger,
    code,
    flags,
    timestamp: 0n,
  }
}
